output "console_url" {
  description = "The console's function URL; its requests are signed."
  value       = aws_lambda_function_url.console.function_url
}

output "console_balancer" {
  description = "Where to point the console's host name, with a certificate."
  value       = one(aws_lb.console[*].dns_name)
}

output "alarm_topic_arn" {
  description = "Who subscribes here gets the alarms."
  value       = aws_sns_topic.alarms.arn
}

output "console" {
  description = "What modules/failure-home needs to hand a function's failures to this console."
  value = {
    collect_function_arn = aws_lambda_function.this["collect"].arn
    collect_role_name    = aws_iam_role.function["collect"].name
    collect_timeout_s    = local.functions.collect.timeout
    alarm_topic_arn      = aws_sns_topic.alarms.arn
  }
}
