# Who is told, and what of. `treat_missing_data` is notBreaching where silence means that nothing happened.
resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.this.id
  tags              = local.tags
}

resource "aws_sns_topic_subscription" "email" {
  count = var.alarm_email == null ? 0 : 1

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  # Metrics of every function. The statistic over five minutes, and from which value on it is an alarm.
  function_metrics = {
    Throttles                   = { statistic = "Sum", threshold = 0, why = "It was asked more often than its concurrency allows." }
    DeadLetterErrors            = { statistic = "Sum", threshold = 0, why = "An event could not be put into its dead-letter queue: it is lost." }
    DestinationDeliveryFailures = { statistic = "Sum", threshold = 0, why = "A failure could not be put into its destination: it is lost." }
    AsyncEventsDropped          = { statistic = "Sum", threshold = 0, why = "An event was given up; it is in the failures queue, if nothing else is wrong." }
  }

  function_alarms = merge([
    for name, function in local.functions : {
      for metric, alarm in local.function_metrics : "${name}-${metric}" => merge(alarm, { function = name, metric = metric })
    }
  ]...)

  # Ours to be empty: whatever lies in these was given up.
  dead_ends = {
    work_dlq     = aws_sqs_queue.work_dlq.name
    failures_dlq = aws_sqs_queue.failures_dlq.name
  }
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each = local.function_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.why
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = aws_lambda_function.this[each.value.function].function_name }
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "error_rate" {
  for_each = local.functions

  alarm_name          = "${var.name}-${each.key}-error-rate"
  alarm_description   = "More than one in twenty invocations failed, twice in a row."
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = local.tags

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
        dimensions  = { FunctionName = aws_lambda_function.this[each.key].function_name }
        stat        = "Sum"
        period      = 300
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "duration" {
  for_each = local.functions

  alarm_name          = "${var.name}-${each.key}-duration"
  alarm_description   = "The slowest of a hundred takes more than nine tenths of the timeout."
  namespace           = "AWS/Lambda"
  metric_name         = "Duration"
  dimensions          = { FunctionName = aws_lambda_function.this[each.key].function_name }
  extended_statistic  = "p99"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.timeout * 1000 * 0.9
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = local.tags
}

locals {
  # One metric each, of queues and of our own. SQS has no IteratorAge: the age of what waits is its like. Depth, not
  # NumberOfMessagesSent: that one does not count what a redrive policy moves.
  watched = merge(
    {
      for name, queue in { work = aws_sqs_queue.work.name, failures = aws_sqs_queue.failures.name } : "${name}-behind" => {
        namespace               = "AWS/SQS"
        metric                  = "ApproximateAgeOfOldestMessage"
        dimensions              = { QueueName = queue }
        statistic               = "Maximum"
        periods                 = 2
        threshold               = 3600
        silence                 = "notBreaching"
        why                     = "Something has waited for an hour."
      }
    },
    {
      for name, queue in local.dead_ends : "${name}-not-empty" => {
        namespace  = "AWS/SQS"
        metric     = "ApproximateNumberOfMessagesVisible"
        dimensions = { QueueName = queue }
        statistic  = "Maximum"
        periods    = 1
        threshold  = 0
        silence    = "notBreaching"
        why        = "Something was given up five times over. Look at the function's log, then redrive the queue."
      }
    },
    {
      # By the tick, once a minute: its silence is an alarm too, since then nobody settles anything.
      oldest-failure = {
        namespace  = "Redrive"
        metric     = "OldestUnresolvedAge"
        dimensions = { service = var.name }
        statistic  = "Maximum"
        periods    = 3
        threshold  = var.oldest_failure_hours * 3600
        silence    = "breaching"
        why        = "A failure is unresolved for ${var.oldest_failure_hours} hours, or the tick has stopped."
      }
      unknown = {
        namespace  = "Redrive"
        metric     = "Unknown"
        dimensions = { service = var.name }
        statistic  = "Sum"
        periods    = 1
        threshold  = 0
        silence    = "notBreaching"
        why        = "A sender died between sending and writing it down: those events are unknown. Look at them."
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "watched" {
  for_each = local.watched

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.why
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = each.value.silence
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = local.tags
}
