locals {
  widgets = [
    {
      title   = "Collected, redriven, and what became of it"
      stat    = "Sum"
      metrics = [for metric in ["Collected", "Redriven", "FailedAgain", "Unknown"] : ["Redrive", metric, "service", var.name]]
    },
    {
      title   = "Age of the oldest unresolved failure (s)"
      stat    = "Maximum"
      metrics = [["Redrive", "OldestUnresolvedAge", "service", var.name]]
    },
    {
      title   = "Errors and throttles"
      stat    = "Sum"
      metrics = concat([for name in keys(local.functions) : [for metric in ["Errors", "Throttles"] : ["AWS/Lambda", metric, "FunctionName", "${var.name}-${name}"]]]...)
    },
    {
      title   = "Duration, the slowest of a hundred (ms)"
      stat    = "p99"
      metrics = [for name in keys(local.functions) : ["AWS/Lambda", "Duration", "FunctionName", "${var.name}-${name}"]]
    },
    {
      title   = "Waiting"
      stat    = "Maximum"
      metrics = [for queue in values(local.queues) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.name]]
    },
    {
      title = "Events given up, and events lost"
      stat  = "Sum"
      metrics = concat([for name in keys(local.functions) : [
        for metric in ["AsyncEventsDropped", "DestinationDeliveryFailures"] : ["AWS/Lambda", metric, "FunctionName", "${var.name}-${name}"]
      ]]...)
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for n, widget in local.widgets : {
      type       = "metric"
      width      = 12
      height     = 6
      x          = 12 * (n % 2)
      y          = 6 * floor(n / 2)
      properties = { title = widget.title, metrics = widget.metrics, stat = widget.stat, period = 300, region = local.region, view = "timeSeries" }
    }]
  })
}
