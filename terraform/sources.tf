# Where failures come from. Lambda deletes a message only when the handler did not report it as failed: after the commit.
resource "aws_lambda_event_source_mapping" "queue" {
  for_each = merge(var.source_queues, { own = { arn = aws_sqs_queue.failures.arn, kms_key_arn = null } })

  event_source_arn                   = each.value.arn
  function_name                      = aws_lambda_function.this["collect"].arn
  function_response_types            = ["ReportBatchItemFailures"]
  batch_size                         = 100
  maximum_batching_window_in_seconds = 1
  tags                               = local.tags

  scaling_config {
    maximum_concurrency = 5
  }
}

resource "aws_lambda_event_source_mapping" "work" {
  event_source_arn        = aws_sqs_queue.work.arn
  function_name           = aws_lambda_function.this["redrive"].arn
  function_response_types = ["ReportBatchItemFailures"]
  batch_size              = 1 # a slice takes as long as there is time
  tags                    = local.tags

  scaling_config {
    maximum_concurrency = local.functions.redrive.concurrency
  }
}

resource "aws_sns_topic_subscription" "source" {
  for_each = var.source_topics

  topic_arn      = each.value
  protocol       = "lambda"
  endpoint       = aws_lambda_function.this["collect"].arn
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.failures.arn })
}

resource "aws_lambda_permission" "topic" {
  for_each = var.source_topics

  statement_id  = "Topic-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this["collect"].function_name
  principal     = "sns.amazonaws.com"
  source_arn    = each.value
}

locals {
  # A rule for each bus with on-failure records, and one on the default bus for each bucket that holds some.
  rules = merge(
    { for key, bus in var.source_buses : "bus-${key}" => {
      bus = bus
      pattern = {
        source        = ["lambda"]
        "detail-type" = ["Lambda Function Invocation Result - Failure"]
      }
    } },
    { for key, bucket in var.source_buckets : "bucket-${key}" => {
      bus = "default"
      pattern = {
        source        = ["aws.s3"]
        "detail-type" = ["Object Created"]
        detail        = { bucket = { name = [bucket] }, object = { key = [{ prefix = "aws/lambda/" }] } }
      }
    } },
  )
}

resource "aws_cloudwatch_event_rule" "source" {
  for_each = local.rules

  name           = "${var.name}-${each.key}"
  description    = "Failures for ${var.name} to collect"
  event_bus_name = each.value.bus
  event_pattern  = jsonencode(each.value.pattern)
  tags           = local.tags
}

resource "aws_cloudwatch_event_target" "source" {
  for_each = local.rules

  rule           = aws_cloudwatch_event_rule.source[each.key].name
  event_bus_name = each.value.bus
  arn            = aws_lambda_function.this["collect"].arn

  dead_letter_config {
    arn = aws_sqs_queue.failures.arn
  }

  retry_policy {
    maximum_event_age_in_seconds = 24 * 3600
    maximum_retry_attempts       = 185
  }
}

resource "aws_lambda_permission" "rule" {
  for_each = local.rules

  statement_id  = "Rule-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this["collect"].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.source[each.key].arn
}
