variable "function_name" {
  description = "The function whose failures get a home."
  type        = string
}

variable "function_role_name" {
  description = "Its execution role: Lambda puts what failed into the queue with that role's permissions."
  type        = string
}

variable "function_timeout_s" {
  description = "Its timeout: what the duration alarm is measured against."
  type        = number
}

variable "console" {
  description = "The output `console` of the stack: where the failures are collected, and who is told."
  type = object({
    collect_function_arn = string
    collect_role_name    = string
    collect_timeout_s    = number
    alarm_topic_arn      = string
  })
}

variable "kind" {
  description = "`destination` (asynchronous callers; says the error and its stack), or `dlq` (for a dead_letter_config of your own)."
  type        = string
  default     = "destination"

  validation {
    condition     = contains(["destination", "dlq"], var.kind)
    error_message = "The kind is destination or dlq."
  }
}

variable "qualifier" {
  description = "The version or alias that callers invoke; none for the function itself."
  type        = string
  default     = null
}

variable "maximum_retry_attempts" {
  description = "How often Lambda tries again after an error of the function: 0 to 2."
  type        = number
  default     = 2

  validation {
    condition     = var.maximum_retry_attempts >= 0 && var.maximum_retry_attempts <= 2
    error_message = "Lambda retries an asynchronous event at most twice."
  }
}

variable "maximum_event_age_s" {
  description = "How long an event may wait for its turn: 60 to 21,600. Lambda gives up at once when the next try would be later."
  type        = number
  default     = 21600

  validation {
    condition     = var.maximum_event_age_s >= 60 && var.maximum_event_age_s <= 21600
    error_message = "Lambda keeps an asynchronous event from 60 seconds to 6 hours."
  }
}

variable "reads_stream" {
  description = "Whether the function reads a Kinesis or DynamoDB stream: then falling behind is an alarm."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of everything in here."
  type        = map(string)
  default     = {}
}
