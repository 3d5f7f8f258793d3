# The console collects from the queue: the message is deleted once it is stored there.
resource "aws_lambda_event_source_mapping" "collect" {
  event_source_arn                   = aws_sqs_queue.failures.arn
  function_name                      = var.console.collect_function_arn
  function_response_types            = ["ReportBatchItemFailures"]
  batch_size                         = 100
  maximum_batching_window_in_seconds = 1
  tags                               = var.tags

  scaling_config {
    maximum_concurrency = 2
  }

  depends_on = [aws_iam_role_policy.collect]
}

resource "aws_iam_role_policy" "collect" {
  name   = "${var.function_name}-collect"
  role   = var.console.collect_role_name
  policy = data.aws_iam_policy_document.collect.json
}

data "aws_iam_policy_document" "collect" {
  statement {
    sid       = "Collect"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.failures.arn]
  }

  statement {
    sid       = "Encrypted"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}
