# The most that a function's role may do, whatever Terraform writes into it. One for each environment:
# a role that deploys staging writes the policy of staging's function, and with one boundary for all it
# could let that function read production's secrets.
data "aws_iam_policy_document" "function_boundary" {
  #checkov:skip=CKV_AWS_111:X-Ray's write actions know no resources, and Lambda names no interface.
  #checkov:skip=CKV_AWS_356:The same. A boundary grants nothing by itself.
  for_each = local.arns

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${each.value.name}:*"]
  }

  statement {
    sid       = "ReadSecrets"
    actions   = ["ssm:GetParameter"]
    resources = ["${each.value.parameters}/*"]
  }

  # The policy of AWS's own key for parameters lets everybody in the account decrypt through Systems
  # Manager, but a permissions boundary may limit what a resource's policy grants ("Permissions
  # boundaries for IAM entities" in the IAM user guide).
  statement {
    sid       = "DecryptSecrets"
    actions   = ["kms:Decrypt"]
    resources = ["arn:${local.partition}:kms:${local.region}:${local.account}:key/*"]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["ssm.${local.region}.${data.aws_partition.current.dns_suffix}"]
    }
  }

  statement {
    sid       = "SendTraces"
    actions   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    resources = ["*"] # they know no resource
  }

  # For a function in a VPC.
  statement {
    sid = "ManageNetworkInterfaces"
    actions = [
      "ec2:AssignPrivateIpAddresses",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["*"] # Lambda asks for them without naming one
  }
}

resource "aws_iam_policy" "function_boundary" {
  for_each    = local.arns
  name        = "${each.value.name}-boundary"
  description = "Permissions boundary of the role of the function ${each.value.name}"
  policy      = data.aws_iam_policy_document.function_boundary[each.key].json
}
