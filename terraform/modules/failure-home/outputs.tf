output "queue_arn" {
  description = "For `dead_letter_config { target_arn = … }` of the function, where kind is dlq. Register it with the function as target."
  value       = aws_sqs_queue.failures.arn
}
