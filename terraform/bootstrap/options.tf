# What the service's options need of the roles. An environment that uses one can only be deployed when it
# is named here, in terraform/bootstrap/terraform.tfvars: options = ["vpc"]

variable "options" {
  description = "Options of the service (variables of terraform/) that need permissions of their own."
  type        = set(string)
  default     = []

  validation {
    condition = length(setsubtract(var.options, [
      "code_signing", "custom_domain", "provisioned_concurrency", "reserved_concurrency", "vpc",
    ])) == 0
    error_message = "options are code_signing, custom_domain, provisioned_concurrency, reserved_concurrency and vpc; the others need no more than every role has."
  }
}

locals {
  domain_names = "arn:${local.partition}:apigateway:${local.region}::/domainnames"
  code_signing = "arn:${local.partition}:lambda:${local.region}:${local.account}:code-signing-config:*"

  # For each environment and option, by policy: actions, and what they are for.
  option_permissions = {
    for environment, arns in local.arns : environment => {
      code_signing = {
        read = [{
          actions   = ["lambda:GetCodeSigningConfig", "lambda:ListTags"]
          resources = [local.code_signing] # it is called by an id that AWS chooses
        }]
        apply = [
          {
            actions   = ["lambda:CreateCodeSigningConfig"]
            resources = ["*"] # it is not there yet
          },
          {
            actions   = ["lambda:DeleteCodeSigningConfig", "lambda:TagResource"]
            resources = [local.code_signing]
          },
          {
            actions = [
              "lambda:DeleteFunctionCodeSigningConfig",
              "lambda:PutFunctionCodeSigningConfig",
            ]
            resources = [arns.function, local.code_signing]
          },
        ]
      }
      custom_domain = {
        read = [{
          actions   = ["apigateway:GET"]
          resources = ["${local.domain_names}/*"]
        }]
        apply = [{
          actions   = ["apigateway:DELETE", "apigateway:POST"]
          resources = [local.domain_names, "${local.domain_names}/*"]
        }]
      }
      provisioned_concurrency = {
        read = [{
          actions   = ["lambda:GetProvisionedConcurrencyConfig"]
          resources = ["${arns.function}:*"]
        }]
        apply = [{
          actions = [
            "lambda:DeleteProvisionedConcurrencyConfig",
            "lambda:PutProvisionedConcurrencyConfig",
          ]
          resources = ["${arns.function}:*"]
        }]
      }
      reserved_concurrency = {
        read = []
        apply = [{
          actions   = ["lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"]
          resources = [arns.function]
        }]
      }
      vpc = {
        read = []
        apply = [{
          # "Required IAM permissions" to attach a function to a VPC, in the Lambda developer guide.
          actions   = ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"]
          resources = ["*"] # they list, and know no resource
        }]
      }
    }
  }

  optional = {
    for environment, options in local.option_permissions : environment => {
      for policy in ["read", "apply"] : policy => flatten([for option in var.options : options[option][policy]])
    }
  }
}
