# Who gets which role. GitHub gives a job an identity token, and the token's subject says what the job
# is ("OpenID Connect reference" in GitHub's documentation). It is compared in full, never by wildcard.

import {
  for_each = toset(var.oidc_provider_arn == null ? [] : [var.oidc_provider_arn])
  to       = aws_iam_openid_connect_provider.github
  id       = each.value
}

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]

  lifecycle {
    # Other repositories may use it, too: what it has beside our audience is not ours to change.
    ignore_changes  = [client_id_list, thumbprint_list, tags, tags_all]
    prevent_destroy = true

    postcondition {
      condition     = contains(self.client_id_list, "sts.amazonaws.com")
      error_message = "The account's OIDC provider for GitHub does not know the audience sts.amazonaws.com: aws iam add-client-id-to-open-id-connect-provider --client-id sts.amazonaws.com --open-id-connect-provider-arn ${self.arn}"
    }
  }
}

locals {
  owner_and_name = split("/", var.repository)
  subject = var.repository_ids == null ? "repo:${var.repository}" : format(
    "repo:%s@%d/%s@%d",
    local.owner_and_name[0], var.repository_ids.owner, local.owner_and_name[1], var.repository_ids.repository,
  )

  roles = merge([
    for environment in var.environments : {
      "${environment}-plan" = {
        environment = environment
        purpose     = "plan"
        # Pull requests; and main, which plans again before production and looks for drift.
        subjects = ["${local.subject}:pull_request", "${local.subject}:ref:refs/heads/main"]
      }
      "${environment}-deploy" = {
        environment = environment
        purpose     = "deploy"
        subjects    = ["${local.subject}:environment:${environment}"]
      }
      "${environment}-rollback" = {
        environment = environment
        purpose     = "rollback"
        subjects    = ["${local.subject}:environment:${environment}-rollback"]
      }
    }
  ]...)
}

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.github.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = each.value.subjects
    }

    # The subject of a job that names an environment does not say which branch it runs for. That
    # AWS compares this claim: "IAM and AWS STS condition context keys" in its IAM user guide.
    dynamic "condition" {
      for_each = each.value.purpose == "plan" ? [] : ["refs/heads/main"]

      content {
        test     = "StringEquals"
        variable = "token.actions.githubusercontent.com:ref"
        values   = [condition.value]
      }
    }
  }
}

resource "aws_iam_role" "github" {
  for_each             = local.roles
  name                 = "${var.service}-${each.key}"
  description          = "What a job of ${var.repository} may do to ${each.value.environment}: ${each.value.purpose}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = 3600
}
