locals {
  metrics = merge(
    {
      Throttles                   = { threshold = 0, statistic = "Sum", why = "It was asked more often than its concurrency allows." }
      DeadLetterErrors            = { threshold = 0, statistic = "Sum", why = "A failure could not be put into the dead-letter queue: it is lost." }
      DestinationDeliveryFailures = { threshold = 0, statistic = "Sum", why = "A failure could not be put into its destination: it is lost." }
      AsyncEventsDropped          = { threshold = 0, statistic = "Sum", why = "An event was given up; the console has it, if nothing else is wrong." }
    },
    var.reads_stream ? {
      IteratorAge = { threshold = 3600 * 1000, statistic = "Maximum", why = "It is an hour behind its stream, which forgets after a day unless told otherwise." }
    } : {},
  )

  queues = {
    failures    = { name = aws_sqs_queue.failures.name, metric = "ApproximateAgeOfOldestMessage", threshold = 3600, why = "A failure has waited for an hour: the console does not collect." }
    uncollected = { name = aws_sqs_queue.uncollected.name, metric = "ApproximateNumberOfMessagesVisible", threshold = 0, why = "The console could not collect a failure, five times over." }
  }
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each = local.metrics

  alarm_name          = "${var.function_name}-${each.key}"
  alarm_description   = each.value.why
  namespace           = "AWS/Lambda"
  metric_name         = each.key
  dimensions          = { FunctionName = var.function_name }
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.console.alarm_topic_arn]
  ok_actions          = [var.console.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "error_rate" {
  alarm_name          = "${var.function_name}-error-rate"
  alarm_description   = "More than one in twenty invocations failed, twice in a row."
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.console.alarm_topic_arn]
  ok_actions          = [var.console.alarm_topic_arn]
  tags                = var.tags

  metric_query {
    id          = "rate"
    expression  = "100 * errors / MAX([errors, invocations])"
    label       = "Errors, in per cent"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { errors = "Errors", invocations = "Invocations" }
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/Lambda"
        metric_name = metric_query.value
        dimensions  = { FunctionName = var.function_name }
        stat        = "Sum"
        period      = 300
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "duration" {
  alarm_name          = "${var.function_name}-duration"
  alarm_description   = "The slowest of a hundred takes more than nine tenths of the timeout."
  namespace           = "AWS/Lambda"
  metric_name         = "Duration"
  dimensions          = { FunctionName = var.function_name }
  extended_statistic  = "p99"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.function_timeout_s * 1000 * 0.9
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.console.alarm_topic_arn]
  ok_actions          = [var.console.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "queue" {
  for_each = local.queues

  alarm_name          = "${var.function_name}-${each.key}"
  alarm_description   = each.value.why
  namespace           = "AWS/SQS"
  metric_name         = each.value.metric
  dimensions          = { QueueName = each.value.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.console.alarm_topic_arn]
  ok_actions          = [var.console.alarm_topic_arn]
  tags                = var.tags
}
