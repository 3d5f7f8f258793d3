# No dead_letter_config: the on-failure destination below says more (the error, its stack), and both would be told.
resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_116: the home for failures is the on-failure destination below.
  # checkov:skip=CKV_AWS_272: two builds of the zip have the same bytes, so whoever doubts it builds it and compares.
  for_each = local.functions

  function_name                  = "${var.name}-${each.key}"
  description                    = each.value.description
  role                           = aws_iam_role.function[each.key].arn
  handler                        = each.value.handler
  runtime                        = "python3.11"
  architectures                  = [var.architecture]
  filename                       = local.package
  source_code_hash               = filebase64sha256(local.package)
  timeout                        = each.value.timeout
  memory_size                    = each.value.memory
  reserved_concurrent_executions = each.value.concurrency
  kms_key_arn                    = aws_kms_key.this.arn
  tags                           = local.tags

  environment {
    variables = local.environment
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  tracing_config {
    mode = "Active"
  }

  vpc_config {
    subnet_ids         = values(aws_subnet.private)[*].id
    security_group_ids = [aws_security_group.functions.id]
  }

  # Without its policy the first cold start fails; without its log group Lambda makes one that is kept for ever.
  depends_on = [aws_iam_role_policy.function, aws_cloudwatch_log_group.function]
}

locals {
  # Names and addresses; never a secret. What is secret is read from Secrets Manager, by ARN, at the cold start.
  environment = {
    DATABASE_SECRET_ARN          = local.database_secret_arn
    DATABASE_HOST                = local.database_host
    DATABASE_NAME                = "redrive"
    REDRIVE_CONSOLE_SECRET_ARN   = aws_secretsmanager_secret.console.arn
    REDRIVE_WORK_QUEUE_URL       = aws_sqs_queue.work.id
    REDRIVE_IDEMPOTENCY_TABLE    = aws_dynamodb_table.idempotency.name
    REDRIVE_SIGN_IN              = "accounts"
    REDRIVE_LABEL                = "${local.account} ${local.region}"
    REDRIVE_ALLOWED_HOSTS        = join(",", var.console_hosts)
    REDRIVE_ALLOWED_TARGETS      = join(" ", concat(var.target_functions, var.target_queues))
    POWERTOOLS_SERVICE_NAME      = var.name
    POWERTOOLS_METRICS_NAMESPACE = "Redrive"
    POWERTOOLS_LOG_LEVEL         = "INFO"
  }
}

resource "aws_lambda_function_event_invoke_config" "this" {
  for_each = local.functions

  function_name                = aws_lambda_function.this[each.key].function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = each.value.keep_hours * 3600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failures.arn
    }
  }
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = aws_kms_key.this.arn
  tags              = local.tags
}
