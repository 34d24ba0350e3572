# What Terraform writes of the function and its role.
data "aws_iam_policy_document" "function" {
  for_each = local.arns

  statement {
    sid = "WriteFunction"
    actions = concat(
      [
        "lambda:AddPermission",
        "lambda:CreateAlias",
        "lambda:CreateFunction",
        "lambda:DeleteAlias",
        "lambda:DeleteFunction",
        "lambda:PublishVersion",
        "lambda:RemovePermission",
        "lambda:TagResource",
        "lambda:UntagResource",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
      ],
      contains(var.options, "provisioned_concurrency") ? [
        "lambda:DeleteProvisionedConcurrencyConfig",
        "lambda:PutProvisionedConcurrencyConfig",
      ] : [],
      contains(var.options, "reserved_concurrency") ? [
        "lambda:DeleteFunctionConcurrency",
        "lambda:PutFunctionConcurrency",
      ] : [],
    )
    resources = [each.value.function, "${each.value.function}:*"]
  }

  statement {
    sid       = "PublishLayer"
    actions   = ["lambda:PublishLayerVersion"]
    resources = [each.value.layer]
  }

  dynamic "statement" {
    for_each = contains(var.options, "code_signing") ? [1] : []

    content {
      sid       = "CreateCodeSigningConfig"
      actions   = ["lambda:CreateCodeSigningConfig"]
      resources = ["*"] # it is not there yet
    }
  }

  dynamic "statement" {
    for_each = contains(var.options, "code_signing") ? [1] : []

    content {
      sid = "WriteCodeSigningConfig"
      actions = [
        "lambda:DeleteCodeSigningConfig",
        "lambda:DeleteFunctionCodeSigningConfig",
        "lambda:PutFunctionCodeSigningConfig",
        "lambda:TagResource",
        "lambda:UntagResource",
        "lambda:UpdateCodeSigningConfig",
      ]
      resources = [each.value.function, local.code_signing] # it is called by an id that AWS chooses
    }
  }

  dynamic "statement" {
    for_each = contains(var.options, "vpc") ? [1] : []

    content {
      sid = "DescribeNetwork"
      # "Required IAM permissions" to attach a function to a VPC, in the Lambda developer guide.
      actions   = ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"]
      resources = ["*"] # they list, and know no resource
    }
  }

  # With the environment's boundary, so that the function's role can never do more than that allows.
  statement {
    sid = "WriteBoundedRole"
    actions = [
      "iam:CreateRole",
      "iam:DeleteRolePolicy",
      "iam:PutRolePermissionsBoundary",
      "iam:PutRolePolicy",
    ]
    resources = [each.value.role]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [each.value.boundary]
    }
  }

  statement {
    sid = "WriteRole"
    actions = [
      "iam:DeleteRole",
      "iam:ListInstanceProfilesForRole",
      "iam:TagRole",
      "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRoleDescription",
    ]
    resources = [each.value.role]
  }

  statement {
    sid       = "PassRole"
    actions   = ["iam:PassRole"]
    resources = [each.value.role]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["lambda.amazonaws.com"]
    }
  }
}
