# Who gets which role. GitHub gives a job an identity token, and the token's claims say what the job
# is ("OpenID Connect reference" in GitHub's documentation). Each is compared in full, never by
# wildcard.

import {
  for_each = toset(var.oidc_provider_arn == null ? [] : [var.oidc_provider_arn])
  to       = aws_iam_openid_connect_provider.github
  id       = each.value
}

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]

  lifecycle {
    # Other repositories may use it too, so its other settings stay as they are.
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
  # Which form a repository sends depends on when it was created, renamed or transferred (since
  # 2026-07-15 the one with ids). Both are this repository's: its id is compared too.
  # GitHub changelog, 2026-04-23: "immutable subject claims".
  subjects_begin = [
    "repo:${var.repository}",
    format(
      "repo:%s@%d/%s@%d",
      local.owner_and_name[0], var.repository_ids.owner, local.owner_and_name[1], var.repository_ids.repository,
    ),
  ]

  roles = merge([
    for environment in var.environments : {
      "${environment}-plan" = {
        environment = environment
        purpose     = "plan"
        # Pull requests; and main, which plans again before production and looks for drift.
        jobs     = ["pull_request", "ref:refs/heads/main"]
        workflow = null
      }
      "${environment}-deploy" = {
        environment = environment
        purpose     = "deploy"
        jobs        = ["environment:${environment}"]
        workflow    = "release.yml"
      }
      "${environment}-rollback" = {
        environment = environment
        purpose     = "rollback"
        jobs        = ["environment:${environment}-rollback"]
        workflow    = "rollback.yml"
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
      values   = [for pair in setproduct(local.subjects_begin, each.value.jobs) : join(":", pair)]
    }

    # That AWS compares this claim and the two below: "IAM and AWS STS condition context keys" in its
    # IAM user guide.
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:repository_id"
      values   = [format("%d", var.repository_ids.repository)]
    }

    # The subject of a job that names an environment says neither which branch it runs for, nor which
    # workflow it is part of: what writes is in this one, as main has it.
    dynamic "condition" {
      for_each = each.value.workflow == null ? {} : {
        ref              = "refs/heads/main"
        job_workflow_ref = "${var.repository}/.github/workflows/${each.value.workflow}@refs/heads/main"
      }

      content {
        test     = "StringEquals"
        variable = "token.actions.githubusercontent.com:${condition.key}"
        values   = [condition.value]
      }
    }
  }
}

resource "aws_iam_role" "github" {
  for_each             = local.roles
  name                 = "${var.service}-${each.key}"
  description          = "Role of jobs of ${var.repository} for ${each.value.environment}: ${each.value.purpose}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = 3600
}
