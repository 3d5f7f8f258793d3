# Once a minute: whatever time does to redrives, and the slices that wait for a sender.
resource "aws_scheduler_schedule_group" "this" {
  name = var.name
  tags = local.tags
}

resource "aws_scheduler_schedule" "tick" {
  name                = "${var.name}-tick"
  group_name          = aws_scheduler_schedule_group.this.name
  description         = "Settles outcomes and queues what waits"
  schedule_expression = "rate(1 minute)"
  kms_key_arn         = aws_kms_key.this.arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this["tick"].arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode({ tick = "<aws.scheduler.scheduled-time>" })

    dead_letter_config {
      arn = aws_sqs_queue.failures.arn
    }

    # Late ticks are of no use: the next one does the same work.
    retry_policy {
      maximum_event_age_in_seconds = 120
      maximum_retry_attempts       = 1
    }
  }
}

resource "aws_iam_role" "scheduler" {
  name               = "${var.name}-scheduler"
  assume_role_policy = data.aws_iam_policy_document.scheduler_trust.json
  tags               = local.tags
}

data "aws_iam_policy_document" "scheduler_trust" {
  statement {
    sid     = "Scheduler"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "tick"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "Tick"
    actions   = ["lambda:InvokeFunction"]
    resources = [aws_lambda_function.this["tick"].arn]
  }

  statement {
    sid       = "WhatFails"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failures.arn]
  }

  statement {
    sid       = "ItsKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]
  }
}
