data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # `id` is the region's name in the provider's 5.x and 6.x alike; `name` and `region` are not.
  parameters_arn = "arn:${data.aws_partition.current.partition}:ssm:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:parameter"

  permissions_boundary_arn = (
    var.permissions_boundary == null
    ? null
    : "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:policy/${var.permissions_boundary}"
  )
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }

  # Of the environment, not of this release: a version that still serves may read a secret that this
  # release does not name any more.
  statement {
    sid       = "ReadSecrets"
    actions   = ["ssm:GetParameter"]
    resources = ["${local.parameters_arn}/${var.service}/${var.environment}/*"]
  }

  dynamic "statement" {
    for_each = var.vpc[*]

    content {
      sid = "ManageNetworkInterfaces"
      # What Lambda needs, and no more: AWS Lambda developer guide, "Attaching Lambda functions to a VPC".
      actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
      ]
      # The interfaces are not there yet, and to describe knows no resources.
      resources = ["*"]
    }
  }

  statement {
    sid     = "SendTraces"
    actions = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    # X-Ray's write actions know no resources: AWS service authorization reference, "AWS X-Ray".
    resources = ["*"]
  }
}

resource "aws_iam_role" "execution" {
  name                 = local.name
  description          = "Execution role of the function ${local.name}"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = local.permissions_boundary_arn
}

resource "aws_iam_role_policy" "execution" {
  name   = "function"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}
