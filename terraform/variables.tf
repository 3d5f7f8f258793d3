variable "name" {
  description = "What every resource's name begins with."
  type        = string
  default     = "redrive"
}

variable "architecture" {
  description = "Of the functions: arm64 costs a fifth less for the same memory and time."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "The architecture is arm64 or x86_64."
  }
}

variable "package_dir" {
  description = "The folder in which `make lambda` left its zips; next to this one unless told otherwise."
  type        = string
  default     = null
}

variable "database_url_secret_arn" {
  description = "A secret that holds postgresql://user:password@host/name. Without one, an Aurora cluster is made."
  type        = string
  default     = null
}

variable "database_secret_key_arn" {
  description = "The key of that secret, where it is one of your own. The network below must reach the database."
  type        = string
  default     = null
}

variable "database_capacity" {
  description = "Aurora's least and most capacity units; at 0 it pauses when nothing happens, and takes 15 s to wake."
  type        = object({ min = number, max = number })
  default     = { min = 0.5, max = 4 }
}

variable "source_queues" {
  description = "Queues to collect from: by any name, the ARN, and the ARN of its own key where it has one."
  type        = map(object({ arn = string, kms_key_arn = optional(string) }))
  default     = {}
}

variable "source_topics" {
  description = "ARNs of topics that functions use as dead-letter or on-failure target, by any name."
  type        = map(string)
  default     = {}
}

variable "source_buses" {
  description = "Names of event buses that functions use as on-failure destination, by any name."
  type        = map(string)
  default     = {}
}

variable "source_buckets" {
  description = "Buckets that hold on-failure records below aws/lambda/, by any name; each has EventBridge switched on."
  type        = map(string)
  default     = {}
}

variable "target_functions" {
  description = "ARNs of the functions that may be redriven to. Name each one: a redrive goes nowhere else."
  type        = list(string)
  default     = []

  # They stand in the functions' environment, all of which may have 4 KB.
  validation {
    condition     = length(join(" ", concat(var.target_functions, var.target_queues))) <= 2500
    error_message = "The ARNs of all targets have more than 2,500 characters together: a function's environment takes no more."
  }
}

variable "target_queues" {
  description = "ARNs of the queues that may be redriven to."
  type        = list(string)
  default     = []
}

variable "target_keys" {
  description = "ARNs of the keys that those queues are encrypted with."
  type        = list(string)
  default     = []
}

variable "idempotency_tables" {
  description = "ARNs of the targets' own idempotency tables, for the look before a redrive; read only."
  type        = list(string)
  default     = []
}

variable "allow_discovery" {
  description = "Whether the console may list the account's functions, queues, rules and topics, to draw their map."
  type        = bool
  default     = true
}

variable "console_certificate_arn" {
  description = "A certificate for an internal load balancer in front of the console. Without one there is the function URL alone."
  type        = string
  default     = null
}

variable "console_hosts" {
  description = "Host names that the console answers to, besides the function URL's own."
  type        = list(string)
  default     = []
}

variable "console_clients" {
  description = "CIDR blocks that may reach the internal load balancer."
  type        = list(string)
  default     = ["10.0.0.0/8"]
}

variable "alarm_email" {
  description = "Who gets the alarms; more can subscribe to the topic."
  type        = string
  default     = null
}

variable "oldest_failure_hours" {
  description = "An unresolved failure older than this raises an alarm."
  type        = number
  default     = 72
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 365
}

variable "vpc_cidr" {
  description = "The network that is made for the functions and the database."
  type        = string
  default     = "10.63.0.0/22"
}
