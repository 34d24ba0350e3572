# An environment that uses an option can only be deployed when it is named here, in
# terraform/bootstrap/terraform.tfvars: options = ["vpc"]
variable "options" {
  description = "Options of the service (variables of terraform/) that need permissions of their own."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition = length(setsubtract(var.options, [
      "code_signing", "custom_domain", "provisioned_concurrency", "reserved_concurrency", "vpc",
    ])) == 0
    error_message = "options are code_signing, custom_domain, provisioned_concurrency, reserved_concurrency and vpc; the others need no more than every role has."
  }
}

# Given by `pipeline bootstrap`.

variable "environments" {
  description = "Environments that GitHub deploys to."
  type        = set(string)
  nullable    = false
}

variable "service" {
  description = "Name of the service, the prefix of all names."
  type        = string
}

variable "layer" {
  description = "Name of the function's layer. Empty: no layer."
  type        = string
}

variable "repository" {
  description = "Repository on GitHub, as OWNER/NAME. Its jobs get the roles."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be OWNER/NAME, without wildcards."
  }
}

variable "repository_ids" {
  description = "Ids of the repository's owner and of the repository."
  type        = object({ owner = number, repository = number })
  nullable    = false

  validation {
    condition = alltrue([
      for id in [var.repository_ids.owner, var.repository_ids.repository] : id > 0 && floor(id) == id
    ])
    error_message = "repository_ids must be whole numbers above 0: gh api repos/OWNER/NAME --jq '.owner.id, .id'"
  }
}

variable "oidc_provider_arn" {
  description = "ARN of GitHub's OIDC provider, if the account has one: only one can exist. Null: create it."
  type        = string
  default     = null
}
