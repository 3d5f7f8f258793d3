# Slices of redrives to send. A message is a pointer into the database, so losing one loses nothing: the tick queues anew.
resource "aws_sqs_queue" "work" {
  name                       = "${var.name}-work"
  visibility_timeout_seconds = local.visibility.redrive
  message_retention_seconds  = 4 * 24 * 3600
  receive_wait_time_seconds  = 20
  kms_master_key_id          = aws_kms_key.this.arn
  tags                       = local.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.work_dlq.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "work_dlq" {
  name                      = "${var.name}-work-dlq"
  message_retention_seconds = 14 * 24 * 3600
  kms_master_key_id         = aws_kms_key.this.arn
  tags                      = local.tags
}

resource "aws_sqs_queue_redrive_allow_policy" "work_dlq" {
  queue_url = aws_sqs_queue.work_dlq.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.work.arn]
  })
}

# What our own functions, the schedule, rules and topics give up on. We collect from it like from anybody's.
resource "aws_sqs_queue" "failures" {
  name                       = "${var.name}-failures"
  visibility_timeout_seconds = local.visibility.collect
  message_retention_seconds  = 14 * 24 * 3600
  kms_master_key_id          = aws_kms_key.this.arn
  tags                       = local.tags

  # What collecting itself cannot take five times over must not go round for ever.
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.failures_dlq.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "failures_dlq" {
  name                      = "${var.name}-failures-dlq"
  message_retention_seconds = 14 * 24 * 3600
  kms_master_key_id         = aws_kms_key.this.arn
  tags                      = local.tags
}

resource "aws_sqs_queue_redrive_allow_policy" "failures_dlq" {
  queue_url = aws_sqs_queue.failures_dlq.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.failures.arn]
  })
}

data "aws_iam_policy_document" "queue" {
  for_each = local.queues

  statement {
    sid       = "OnlyEncrypted"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value.arn]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "failures" ? ["events", "scheduler", "sns"] : []
    content {
      sid       = "From${title(statement.value)}"
      actions   = ["sqs:SendMessage"]
      resources = [each.value.arn]
      principals {
        type        = "Service"
        identifiers = ["${statement.value}.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_sqs_queue_policy" "this" {
  for_each = local.queues

  queue_url = each.value.id
  policy    = data.aws_iam_policy_document.queue[each.key].json
}

locals {
  queues = {
    work         = aws_sqs_queue.work
    work_dlq     = aws_sqs_queue.work_dlq
    failures     = aws_sqs_queue.failures
    failures_dlq = aws_sqs_queue.failures_dlq
  }
}
