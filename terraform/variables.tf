# Given by the environment's terraform.tfvars.

variable "service" {
  description = "Name of the service; every resource is called <service>-<environment>."
  type        = string
  default     = "mongo-client"
}

variable "environment" {
  description = "Environment that this state describes."
  type        = string

  validation {
    condition     = contains(["local", "staging", "production"], var.environment)
    error_message = "environment must be local, staging or production."
  }
}

variable "mongodb_uri_parameter" {
  description = "Name of the SSM SecureString parameter that holds the MongoDB connection string. Only the name: the function reads the value itself."
  type        = string

  validation {
    condition     = startswith(var.mongodb_uri_parameter, "/") && !strcontains(var.mongodb_uri_parameter, ":")
    error_message = "mongodb_uri_parameter must be a parameter's name that starts with /, not a connection string."
  }
}

variable "api_key_sha256s" {
  description = "SHA-256 hashes (lower-case hexadecimal) of the API keys that open the data routes. Empty: they stay closed."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for hash in var.api_key_sha256s : can(regex("^[0-9a-f]{64}$", hash))])
    error_message = "Each of api_key_sha256s must be 64 lower-case hexadecimal digits. Never put a key itself here."
  }
}

variable "memory_mb" {
  description = "Memory of the function, in MB."
  type        = number
  default     = 256

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "memory_mb must be between 128 and 10240."
  }
}

variable "timeout_s" {
  description = "Time limit of one invocation, in seconds. API Gateway itself gives up after 30."
  type        = number
  default     = 10

  validation {
    condition     = var.timeout_s >= 3 && var.timeout_s <= 29
    error_message = "timeout_s must be between 3 and 29."
  }
}

variable "tracing_mode" {
  description = "X-Ray: Active traces sampled requests, PassThrough only those that arrive traced."
  type        = string
  default     = "Active"

  validation {
    condition     = contains(["Active", "PassThrough"], var.tracing_mode)
    error_message = "tracing_mode must be Active or PassThrough."
  }
}

variable "log_format" {
  description = "Format of the function's log: Text (START RequestId: … as lines) or JSON (the same as objects)."
  type        = string
  default     = "Text"

  validation {
    condition     = contains(["Text", "JSON"], var.log_format)
    error_message = "log_format must be Text or JSON."
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the logs, in days."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days must be one of the periods that CloudWatch Logs has."
  }
}

variable "throttle_requests_per_second" {
  description = "Steady rate of requests that the API lets through."
  type        = number
  default     = 100

  validation {
    condition     = var.throttle_requests_per_second >= 1
    error_message = "throttle_requests_per_second must be at least 1."
  }
}

variable "throttle_burst" {
  description = "Requests that the API lets through at once above the steady rate."
  type        = number
  default     = 200

  validation {
    condition     = var.throttle_burst >= 1
    error_message = "throttle_burst must be at least 1."
  }
}

# Given by the pipeline, out of the bundle's manifest.

variable "artifact_bucket" {
  description = "Bucket that the bundles are stored in."
  type        = string
}

variable "function_package" {
  description = "The function's zip: its key in the artifact bucket, and its sha256 in base64."
  type        = object({ key = string, sha256_base64 = string })
}

variable "layer_package" {
  description = "The layer's zip: its key in the artifact bucket, and its sha256 in base64."
  type        = object({ key = string, sha256_base64 = string })
}

variable "handler" {
  description = "Function that Lambda calls, as <file>.<function>."
  type        = string
}

variable "runtime" {
  description = "Lambda runtime that the bundle was built for."
  type        = string
}

variable "architecture" {
  description = "Instruction set that the bundle was built for."
  type        = string

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}
