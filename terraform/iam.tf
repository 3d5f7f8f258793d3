# One role a function, statement by statement. Where a resource is "*", the API has none to name.
data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "Lambda"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name               = "${var.name}-${each.key}"
  description        = each.value.description
  assume_role_policy = data.aws_iam_policy_document.trust.json
  tags               = local.tags
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name   = each.key
  role   = aws_iam_role.function[each.key].id
  policy = data.aws_iam_policy_document.function[each.key].json
}

data "aws_iam_policy_document" "function" {
  for_each = local.functions

  source_policy_documents = concat([data.aws_iam_policy_document.base[each.key].json], local.duties[each.key])
}

locals {
  # What each function does besides running: the documents below.
  duties = {
    collect = [data.aws_iam_policy_document.collect.json]
    redrive = [
      data.aws_iam_policy_document.take_work.json,
      data.aws_iam_policy_document.queue_work.json,
      data.aws_iam_policy_document.send.json,
      data.aws_iam_policy_document.idempotency.json,
    ]
    tick = concat(
      [
        data.aws_iam_policy_document.queue_work.json,
        data.aws_iam_policy_document.limits.json,
        data.aws_iam_policy_document.depths.json,
      ],
      var.allow_discovery ? [data.aws_iam_policy_document.discover.json] : [],
    )
    console = concat(
      [data.aws_iam_policy_document.queue_work.json],
      length(var.idempotency_tables) > 0 ? [data.aws_iam_policy_document.look_up.json] : [],
    )
  }
}

# What every function needs to run at all.
data "aws_iam_policy_document" "base" {
  # checkov:skip=CKV_AWS_111: X-Ray's puts and a function's network interfaces have no resource to name.
  # checkov:skip=CKV_AWS_356: the same.
  for_each = local.functions

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function[each.key].arn}:*"]
  }

  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [local.database_secret_arn, aws_secretsmanager_secret.console.arn]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = compact([aws_kms_key.this.arn, var.database_secret_key_arn])
  }

  statement {
    sid       = "WhatFails"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failures.arn]
  }

  # X-Ray and network interfaces have no resource to name: AWS takes "*" alone.
  statement {
    sid = "TraceAndNetwork"
    actions = [
      "xray:PutTraceSegments", "xray:PutTelemetryRecords",
      "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface",
      "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["*"]
  }
}

# Lambda itself receives and deletes for the function, with the function's role.
data "aws_iam_policy_document" "collect" {
  statement {
    sid       = "Collect"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
    resources = concat([aws_sqs_queue.failures.arn], [for queue in var.source_queues : queue.arn])
  }

  dynamic "statement" {
    for_each = length(local.source_keys) > 0 ? [1] : []
    content {
      sid       = "KeysOfSources"
      actions   = ["kms:Decrypt"]
      resources = local.source_keys
    }
  }

  dynamic "statement" {
    for_each = length(var.source_buckets) > 0 ? [1] : []
    content {
      sid       = "ReadRecords"
      actions   = ["s3:GetObject", "s3:GetObjectVersion"]
      resources = [for bucket in var.source_buckets : "arn:${local.partition}:s3:::${bucket}/aws/lambda/*"]
    }
  }

  dynamic "statement" {
    for_each = length(var.source_buckets) > 0 ? [1] : []
    content {
      sid       = "ListRecords"
      actions   = ["s3:ListBucket"]
      resources = [for bucket in var.source_buckets : "arn:${local.partition}:s3:::${bucket}"]
      condition {
        test     = "StringLike"
        variable = "s3:prefix"
        values   = ["aws/lambda/*"]
      }
    }
  }
}

data "aws_iam_policy_document" "take_work" {
  statement {
    sid       = "TakeWork"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.work.arn]
  }
}

data "aws_iam_policy_document" "queue_work" {
  statement {
    sid       = "QueueWork"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.work.arn]
  }
}

data "aws_iam_policy_document" "send" {
  source_policy_documents = [data.aws_iam_policy_document.limits.json]

  dynamic "statement" {
    for_each = length(var.target_functions) > 0 ? [1] : []
    content {
      sid       = "RedriveToFunctions"
      actions   = ["lambda:InvokeFunction"]
      resources = flatten([for arn in var.target_functions : [arn, "${arn}:*"]])
    }
  }

  dynamic "statement" {
    for_each = length(var.target_queues) > 0 ? [1] : []
    content {
      sid       = "RedriveToQueues"
      actions   = ["sqs:SendMessage"]
      resources = var.target_queues
    }
  }

  # What was left in its bucket is taken: seen to be there still, sent, then deleted.
  dynamic "statement" {
    for_each = length(var.source_buckets) > 0 ? [1] : []
    content {
      sid       = "TakeRecords"
      actions   = ["s3:GetObject", "s3:DeleteObject"]
      resources = [for bucket in var.source_buckets : "arn:${local.partition}:s3:::${bucket}/aws/lambda/*"]
    }
  }

  dynamic "statement" {
    for_each = length(var.target_keys) > 0 ? [1] : []
    content {
      sid       = "KeysOfTargets"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = var.target_keys
    }
  }
}

# How long a target takes to give an event up, and how much it takes at once.
data "aws_iam_policy_document" "limits" {
  dynamic "statement" {
    for_each = length(var.target_functions) > 0 ? [1] : []
    content {
      sid = "LimitsOfFunctions"
      actions = [
        "lambda:GetFunctionConfiguration", "lambda:GetFunctionConcurrency", "lambda:ListFunctionEventInvokeConfigs",
      ]
      resources = var.target_functions
    }
  }

  dynamic "statement" {
    for_each = length(var.target_queues) > 0 ? [1] : []
    content {
      sid       = "LimitsOfQueues"
      actions   = ["sqs:GetQueueAttributes"]
      resources = var.target_queues
    }
  }
}

data "aws_iam_policy_document" "depths" {
  statement {
    sid       = "Depths"
    actions   = ["sqs:GetQueueAttributes"]
    resources = concat([aws_sqs_queue.failures.arn], [for queue in var.source_queues : queue.arn])
  }
}

data "aws_iam_policy_document" "idempotency" {
  statement {
    sid       = "OwnIdempotency"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
    resources = [aws_dynamodb_table.idempotency.arn]
  }
}

data "aws_iam_policy_document" "look_up" {
  statement {
    sid       = "LookUpWhatHandlersDid"
    actions   = ["dynamodb:GetItem", "dynamodb:BatchGetItem"]
    resources = var.idempotency_tables
  }
}

# The account's map. Listings take "*" alone; nothing here reads a payload or changes anything.
data "aws_iam_policy_document" "discover" {
  # checkov:skip=CKV_AWS_356: a map of the account lists the account; `allow_discovery = false` takes it away.
  statement {
    sid = "Discover"
    actions = [
      "lambda:ListFunctions", "lambda:ListFunctionEventInvokeConfigs", "lambda:ListEventSourceMappings",
      "sqs:ListQueues", "sqs:GetQueueAttributes", "sns:ListSubscriptions", "sns:GetSubscriptionAttributes",
      "events:ListEventBuses", "events:ListRules", "events:ListTargetsByRule",
      "scheduler:ListSchedules", "scheduler:GetSchedule", "pipes:ListPipes", "pipes:DescribePipe", "iam:GetRole",
    ]
    resources = ["*"]
  }
}

locals {
  source_keys = compact([for queue in var.source_queues : queue.kms_key_arn])
}
