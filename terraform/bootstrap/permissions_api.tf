# What Terraform writes of the API. AWS chooses its id, so the policies cannot name it before it is
# there. What keeps the environments apart is what denies: an API by its name, what has tags by its
# tags, and everything of the APIs of the other environments that bootstrap finds.

data "aws_apigatewayv2_apis" "found" {
  for_each      = local.arns
  name          = each.value.name
  protocol_type = "HTTP"
}

locals {
  api_writes = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"]
  tag_writes = ["apigateway:TagResource", "apigateway:UntagResource"]

  # With the option custom_domain, domain names as well.
  api_resources = flatten([
    for kind in contains(var.options, "custom_domain") ? ["apis", "domainnames"] : ["apis"] :
    ["${local.api_gateway}/${kind}", "${local.api_gateway}/${kind}/*"]
  ])

  apis_of_others = {
    for environment in var.environments : environment => flatten([
      for other in setsubtract(var.environments, [environment]) : [
        for id in sort(data.aws_apigatewayv2_apis.found[other].ids) : [
          "${local.api_gateway}/apis/${id}",
          "${local.api_gateway}/apis/${id}/*",
          "${local.api_gateway}/tags/*${id}*",
        ]
      ]
    ])
  }
}

data "aws_iam_policy_document" "api" {
  for_each = local.arns

  statement {
    sid       = "WriteApi"
    actions   = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST"]
    resources = local.api_resources
  }

  # API Gateway authorizes tags apart from what they are on: for a stage by these actions, which are in
  # no list of AWS's, else as writes of /tags/<ARN>.
  statement {
    sid       = "TagStage"
    actions   = local.tag_writes
    resources = ["${local.api_gateway}/apis/*"]
  }

  statement {
    sid       = "TagApi"
    actions   = ["apigateway:DELETE", "apigateway:POST", "apigateway:PUT"]
    resources = ["${local.api_gateway}/tags/*"]
  }

  statement {
    sid       = "DenyOtherNames"
    effect    = "Deny"
    actions   = local.api_writes
    resources = ["${local.api_gateway}/apis", "${local.api_gateway}/apis/*"]

    condition {
      test     = "StringNotEquals"
      variable = "apigateway:Resource/ApiName"
      values   = [each.value.name]
    }

    # Only APIs themselves have that key, not what is in them.
    condition {
      test     = "Null"
      variable = "apigateway:Resource/ApiName"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = { Service = var.service, Environment = each.key }

    content {
      sid       = "DenyOther${statement.key}Tags"
      effect    = "Deny"
      actions   = concat(local.api_writes, local.tag_writes)
      resources = local.api_resources

      condition {
        test     = "StringNotEquals"
        variable = "aws:ResourceTag/${lower(statement.key)}"
        values   = [statement.value]
      }

      # What has no tags is not of another environment.
      condition {
        test     = "Null"
        variable = "aws:ResourceTag/${lower(statement.key)}"
        values   = ["false"]
      }
    }
  }

  dynamic "statement" {
    for_each = length(local.apis_of_others[each.key]) == 0 ? [] : [local.apis_of_others[each.key]]

    content {
      sid       = "DenyOtherEnvironments"
      effect    = "Deny"
      actions   = concat(local.api_writes, local.tag_writes)
      resources = statement.value
    }
  }

  # API Gateway makes it with the first custom domain name of an account, for whoever creates that.
  dynamic "statement" {
    for_each = contains(var.options, "custom_domain") ? [1] : []

    content {
      sid       = "CreateServiceLinkedRole"
      actions   = ["iam:CreateServiceLinkedRole"]
      resources = ["arn:${local.partition}:iam::${local.account}:role/aws-service-role/ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway"]

      condition {
        test     = "StringEquals"
        variable = "iam:AWSServiceName"
        values   = ["ops.apigateway.amazonaws.com"]
      }
    }
  }
}
