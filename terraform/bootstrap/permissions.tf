# What each role may do: customer-managed policies, which the roles of an environment share. Everything
# is named after the service and the environment. A resource "*" has its reason next to it: AWS has no
# finer one. tests/bootstrap/needs.py has the call for each action, and tests check both directions:
# nothing that is needed is missing, nothing is granted that is not needed.

locals {
  # ARNs of an environment's resources, by environment.
  arns = {
    for environment in var.environments : environment => {
      name     = "${var.service}-${environment}"
      function = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.service}-${environment}"
      layer    = "arn:${local.partition}:lambda:${local.region}:${local.account}:layer:${var.service}-${environment}-${var.layer}"
      role     = "arn:${local.partition}:iam::${local.account}:role/${var.service}-${environment}"
      boundary = "arn:${local.partition}:iam::${local.account}:policy/${var.service}-${environment}-boundary"
      # With ":*" for their streams: CloudWatch Logs compares either form, by action.
      function_log = [
        for suffix in ["", ":*"] :
        "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.service}-${environment}${suffix}"
      ]
      api_log = [
        for suffix in ["", ":*"] :
        "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/vendedlogs/apigateway/${var.service}-${environment}${suffix}"
      ]
      alarms     = "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${var.service}-${environment}-*"
      dashboard  = "arn:${local.partition}:cloudwatch::${local.account}:dashboard/${var.service}-${environment}"
      parameters = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter/${var.service}/${environment}"
      state      = "${aws_s3_bucket.pipeline["terraform-state"].arn}/${var.service}/${environment}.tfstate"
    }
  }

  api_gateway  = "arn:${local.partition}:apigateway:${local.region}::"
  code_signing = "arn:${local.partition}:lambda:${local.region}:${local.account}:code-signing-config:*"
  state        = aws_s3_bucket.pipeline["terraform-state"].arn
  artifacts    = aws_s3_bucket.pipeline["artifacts"].arn
}

locals {
  documents = {
    read       = data.aws_iam_policy_document.read
    function   = data.aws_iam_policy_document.function
    api        = data.aws_iam_policy_document.api
    monitoring = data.aws_iam_policy_document.monitoring
    release    = data.aws_iam_policy_document.release
    deploy     = data.aws_iam_policy_document.deploy
    rollback   = data.aws_iam_policy_document.rollback
  }

  # A rollback needs what Terraform writes, too: it undoes what a deployment left half done.
  policies = {
    plan     = ["read"]
    deploy   = ["read", "function", "api", "monitoring", "release", "deploy"]
    rollback = ["read", "function", "api", "monitoring", "release", "rollback"]
  }
}

resource "aws_iam_policy" "github" {
  for_each = {
    for pair in setproduct(var.environments, keys(local.documents)) :
    "${pair[0]}-${pair[1]}" => local.documents[pair[1]][pair[0]].json
  }
  name        = "${var.service}-${each.key}"
  description = "Part of the permissions of jobs of ${var.repository}"
  policy      = each.value
}

resource "aws_iam_role_policy_attachment" "github" {
  for_each = merge([
    for role, each in local.roles : {
      for policy in local.policies[each.purpose] :
      "${role}/${policy}" => { role = role, policy = "${each.environment}-${policy}" }
    }
  ]...)
  role       = aws_iam_role.github[each.value.role].name
  policy_arn = aws_iam_policy.github[each.value.policy].arn
}
