# Given by the environment's terraform.tfvars.

variable "environment" {
  description = "Environment that this state describes."
  type        = string
}

variable "api_keys" {
  description = "Access rights: maps the SHA-256 hash (lower-case hexadecimal) of each API key to its scope, words such as read, write:shop (a database), read:shop.orders (a collection). Empty: the data routes stay closed."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for hash in keys(var.api_keys) : can(regex("^[0-9a-f]{64}$", hash))])
    error_message = "Each key of api_keys must be 64 lower-case hexadecimal digits. Never put an API key itself here."
  }

  validation {
    condition = alltrue([
      for scope in values(var.api_keys) : can(regex("^(read|write)(:[^ .:]+(\\.[^ ]+)?)?( (read|write)(:[^ .:]+(\\.[^ ]+)?)?)*$", scope))
    ])
    error_message = "Each scope in api_keys must be words with one space in between, such as read, write:shop, read:shop.orders."
  }
}

variable "data_source" {
  description = "The dataSource that requests must name. Null: any."
  type        = string
  default     = null

  validation {
    condition     = var.data_source != ""
    error_message = "data_source must be a name, or null."
  }
}

variable "allowed_operators" {
  description = "Operators and pipeline stages to allow that are refused by default, because they run code ($where, $function, $accumulator), write elsewhere ($out, $merge) or read the server's state (such as $currentOp)."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.allowed_operators : can(regex("^[$][A-Za-z]+$", name))])
    error_message = "Each of allowed_operators must be an operator's name, with its $."
  }
}

variable "routes" {
  description = "Additional routes of the API besides ANY /api/{proxy+}, such as POST /orders/{proxy+}; from function.toml."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "cors_origins" {
  description = "Origins that browsers may call the API from, such as https://app.example.com. Empty: none."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for origin in var.cors_origins : can(regex("^https?://[a-z0-9.-]+(:[0-9]+)?$", origin))])
    error_message = "Each of cors_origins must be a scheme, a host in lower case and perhaps a port, as browsers send it: no path, no slash at its end, no *."
  }
}

variable "memory_mb" {
  description = "Memory of the function, in MB."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "memory_mb must be between 128 and 10240."
  }
}

variable "timeout_s" {
  description = "Time limit of one invocation, in seconds. API Gateway's own limit is 30."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.timeout_s >= 3 && var.timeout_s <= 29
    error_message = "timeout_s must be between 3 and 29."
  }
}

variable "tracing_mode" {
  description = "X-Ray: Active traces sampled requests, PassThrough only those that arrive traced."
  type        = string
  default     = "PassThrough"
  nullable    = false

  validation {
    condition     = contains(["Active", "PassThrough"], var.tracing_mode)
    error_message = "tracing_mode must be Active or PassThrough."
  }
}

variable "log_format" {
  description = "Format of the function's log: Text (START RequestId: … as lines) or JSON (the same as objects)."
  type        = string
  default     = "Text"
  nullable    = false

  validation {
    condition     = contains(["Text", "JSON"], var.log_format)
    error_message = "log_format must be Text or JSON."
  }
}

variable "log_retention_days" {
  description = "Retention of the logs in CloudWatch, in days."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition = contains([
      1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731,
      1096, 1827, 2192, 2557, 2922, 3288, 3653,
    ], var.log_retention_days)
    error_message = "log_retention_days must be one of the periods that CloudWatch Logs has."
  }
}

variable "throttle_requests_per_second" {
  description = "Rate limit of the API, in requests a second."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.throttle_requests_per_second >= 1
    error_message = "throttle_requests_per_second must be at least 1."
  }
}

variable "throttle_burst" {
  description = "Burst limit of the API, in requests."
  type        = number
  default     = 200
  nullable    = false

  validation {
    condition     = var.throttle_burst >= 1
    error_message = "throttle_burst must be at least 1."
  }
}

variable "alarm_thresholds" {
  description = "Threshold of each alarm, within five minutes of live's calls: errors and answers with 5xx, p95 of the duration in ms, throttled calls, requests that did not reach the database, requests that the API answered with 5xx."
  type = object({
    errors            = optional(number, 5)
    duration_p95_ms   = optional(number, 3000)
    throttles         = optional(number, 1)
    database_failures = optional(number, 5)
    api_5xx           = optional(number, 5)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for threshold in values(var.alarm_thresholds) : threshold > 0])
    error_message = "Each of alarm_thresholds must be above 0, or its alarm would always fire."
  }
}

variable "alarm_topic_arn" {
  description = "ARN of the SNS topic to notify when an alarm begins and ends. Null: none."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:[^:]+:sns:", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic."
  }
}

# Options. Each is off unless the environment's terraform.tfvars sets it.

variable "vpc" {
  description = "Subnets and security groups that the function is attached to. They need a route to MongoDB and to the APIs of SSM and X-Ray, by a NAT gateway or VPC endpoints."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null

  validation {
    condition = var.vpc == null || try(
      alltrue([for id in var.vpc.subnet_ids : startswith(id, "subnet-")])
      && alltrue([for id in var.vpc.security_group_ids : startswith(id, "sg-")])
      && length(var.vpc.subnet_ids) * length(var.vpc.security_group_ids) > 0,
    false)
    error_message = "vpc needs at least one subnet-… and one sg-…."
  }
}

variable "snap_start" {
  description = "SnapStart: new execution environments start from a snapshot of an initialised one. Publishing a version takes minutes longer, and each published version costs as long as it stays (prune)."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !(var.snap_start && var.provisioned_concurrency != null)
    error_message = "Lambda has either SnapStart or provisioned concurrency: unset snap_start or provisioned_concurrency."
  }
}

variable "provisioned_concurrency" {
  description = "Execution environments that live keeps initialised. Only with percents = [100] in rollout.toml, or deploy --all-at-once: Lambda refuses weights on an alias that has it. While live moves, Lambda initialises as many for the new version, and shares the traffic by itself until they are there."
  type        = number
  default     = null

  validation {
    condition     = var.provisioned_concurrency == null || try(var.provisioned_concurrency >= 1, false)
    error_message = "provisioned_concurrency must be at least 1; null is none."
  }

  validation {
    condition = var.reserved_concurrency == null || try(
      var.provisioned_concurrency <= var.reserved_concurrency,
      true
    )
    error_message = "provisioned_concurrency must not exceed reserved_concurrency."
  }
}

variable "reserved_concurrency" {
  description = "Reserved concurrency: concurrent calls that are reserved for the function, and its limit. Null: none."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null || try(var.reserved_concurrency >= 1, false)
    error_message = "reserved_concurrency must be at least 1: with 0 the function could not be called."
  }
}

variable "custom_domain" {
  description = "Domain name of the API, and the ARN of its certificate in ACM, in the same region. Create its DNS record yourself, with the output domain_target."
  type        = object({ name = string, certificate_arn = string })
  default     = null

  validation {
    condition = var.custom_domain == null || try(
      can(regex("^[a-z0-9*][a-z0-9.-]*\\.[a-z]{2,}$", var.custom_domain.name))
      && can(regex("^arn:[^:]+:acm:", var.custom_domain.certificate_arn)),
    false)
    error_message = "custom_domain needs a domain's name in lower case, and the ARN of a certificate in ACM."
  }
}

variable "jwt_authorizer" {
  description = "Issuer and audience of the tokens that the API requires (Authorization: Bearer …). API Gateway verifies them, and refuses a request with only an API key. Its claim scope says what it may do, in the words of api_keys. /api/health stays open."
  type        = object({ issuer = string, audience = list(string) })
  default     = null

  validation {
    condition = var.jwt_authorizer == null || try(
      startswith(var.jwt_authorizer.issuer, "https://") && length(var.jwt_authorizer.audience) > 0,
    false)
    error_message = "jwt_authorizer needs an issuer that starts with https:// and at least one audience."
  }
}

variable "code_signing" {
  description = "AWS Signer profile versions that Lambda takes a signature of, and what it does without one: Enforce refuses the deployment, Warn counts it. What has to be signed are both zips in the artifact bucket, the function's and the layer's. The pipeline does not sign, and signing changes a zip's bytes, so its own bundles only pass with Warn."
  type        = object({ signing_profile_version_arns = list(string), untrusted_artifact_on_deployment = string })
  default     = null

  validation {
    condition = var.code_signing == null || try(
      alltrue([for arn in var.code_signing.signing_profile_version_arns : can(regex("^arn:[^:]+:signer:", arn))])
      && length(var.code_signing.signing_profile_version_arns) > 0
      && contains(["Enforce", "Warn"], var.code_signing.untrusted_artifact_on_deployment),
    false)
    error_message = "code_signing needs the ARN of at least one version of a signing profile, and Enforce or Warn."
  }
}

# Given by the pipeline, out of function.toml, and for the boundary out of the environment's name.

variable "service" {
  description = "Name of the service. Every resource is named <service>-<environment>."
  type        = string
}

variable "description" {
  description = "Description of the function."
  type        = string
}

variable "secrets" {
  description = "SSM SecureString parameters /<service>/<environment>/… that the function may read. It gets the name of each, as mongodb-uri's in MONGODB_URI_PARAMETER, and reads the value itself."
  type        = set(string)

  validation {
    condition     = alltrue([for secret in var.secrets : can(regex("^[a-z][a-z0-9-]*$", secret))])
    error_message = "Each of secrets must be the name of a parameter, of small letters, digits and dashes. Never put a secret itself here."
  }
}

variable "permissions_boundary" {
  description = "Name of the IAM policy that is the permissions boundary of the function's role; bootstrap creates it. Null: none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^[\\w+=,.@-]+$", var.permissions_boundary))
    error_message = "permissions_boundary must be a policy's name, not its ARN."
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
  description = "The layer's name, and its zip: its key in the artifact bucket, and its sha256 in base64. Null: the function has no layer."
  type        = object({ name = string, key = string, sha256_base64 = string })
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
