# A home for what one function gives up on: a queue, the permissions, retries and age, alarms, and the console behind it.
data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

resource "aws_kms_key" "this" {
  description             = "${var.function_name}: failed events at rest"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
  tags                    = var.tags
}

# Without this statement nobody could ever change the key. In a key's policy "*" is this key.
data "aws_iam_policy_document" "key" {
  # checkov:skip=CKV_AWS_109: a key's policy speaks of this key alone, whatever its resource says.
  # checkov:skip=CKV_AWS_111: the same.
  # checkov:skip=CKV_AWS_356: the same.
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root"]
    }
  }
}

# Standard, since Lambda takes no FIFO queue for failures. Fourteen days: the longest that SQS keeps anything.
resource "aws_sqs_queue" "failures" {
  name                       = "${var.function_name}-failures"
  visibility_timeout_seconds = 6 * var.console.collect_timeout_s
  message_retention_seconds  = 14 * 24 * 3600
  kms_master_key_id          = aws_kms_key.this.arn
  tags                       = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.uncollected.arn
    maxReceiveCount     = 5
  })
}

# What could not even be collected.
resource "aws_sqs_queue" "uncollected" {
  name                      = "${var.function_name}-uncollected"
  message_retention_seconds = 14 * 24 * 3600
  kms_master_key_id         = aws_kms_key.this.arn
  tags                      = var.tags
}

resource "aws_sqs_queue_redrive_allow_policy" "uncollected" {
  queue_url = aws_sqs_queue.uncollected.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.failures.arn]
  })
}

data "aws_iam_policy_document" "queue" {
  for_each = { failures = aws_sqs_queue.failures.arn, uncollected = aws_sqs_queue.uncollected.arn }

  statement {
    sid       = "OnlyEncrypted"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]
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
}

resource "aws_sqs_queue_policy" "this" {
  for_each = { failures = aws_sqs_queue.failures.id, uncollected = aws_sqs_queue.uncollected.id }

  queue_url = each.value
  policy    = data.aws_iam_policy_document.queue[each.key].json
}

# A function's own dead_letter_config cannot be set from here: see the output queue_arn.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = var.function_name
  qualifier                    = var.qualifier
  maximum_retry_attempts       = var.maximum_retry_attempts
  maximum_event_age_in_seconds = var.maximum_event_age_s

  dynamic "destination_config" {
    for_each = var.kind == "destination" ? [1] : []
    content {
      on_failure {
        destination = aws_sqs_queue.failures.arn
      }
    }
  }

  depends_on = [aws_iam_role_policy.leave]
}

resource "aws_iam_role_policy" "leave" {
  name   = "${var.function_name}-leave-failures"
  role   = var.function_role_name
  policy = data.aws_iam_policy_document.leave.json
}

data "aws_iam_policy_document" "leave" {
  statement {
    sid       = "LeaveFailures"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failures.arn]
  }

  statement {
    sid       = "Encrypted"
    actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}
