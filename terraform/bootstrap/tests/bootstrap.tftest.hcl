# What holds at plan time, without an account. Run with: terraform -chdir=terraform/bootstrap test

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
}

# What is imported cannot be mocked.
override_resource {
  target = aws_s3_bucket.pipeline
}

variables {
  service        = "mongo-client"
  layer          = "pymongo"
  environments   = ["staging", "production"]
  repository     = "octo-org/mongo-client"
  repository_ids = { owner = 1234, repository = 5678 }
}

run "nothing_is_public" {
  command = plan

  assert {
    condition = alltrue([
      for block in aws_s3_bucket_public_access_block.pipeline : alltrue([
        block.block_public_acls, block.block_public_policy,
        block.ignore_public_acls, block.restrict_public_buckets,
      ])
    ]) && length(aws_s3_bucket_public_access_block.pipeline) == 2
    error_message = "Both buckets must refuse to be public."
  }
}

run "what_is_kept_is_encrypted_and_versioned" {
  command = plan

  assert {
    condition = alltrue([
      for each in aws_s3_bucket_server_side_encryption_configuration.pipeline :
      one(each.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    ])
    error_message = "Both buckets must be encrypted."
  }

  assert {
    condition = alltrue([
      for each in aws_s3_bucket_versioning.pipeline : each.versioning_configuration[0].status == "Enabled"
    ])
    error_message = "Both buckets must keep older versions."
  }
}

run "each_environment_has_a_role_for_each_purpose" {
  command = plan

  assert {
    condition = toset([for role in aws_iam_role.github : role.name]) == toset([
      "mongo-client-staging-plan", "mongo-client-staging-deploy", "mongo-client-staging-rollback",
      "mongo-client-production-plan", "mongo-client-production-deploy", "mongo-client-production-rollback",
    ])
    error_message = "There must be a plan, a deploy and a rollback role for each environment."
  }
}

run "both_forms_of_a_subject_are_this_repositorys" {
  command = plan

  assert {
    condition     = local.subjects_begin == ["repo:octo-org/mongo-client", "repo:octo-org@1234/mongo-client@5678"]
    error_message = "A repository sends one of these, by when it was created, renamed or transferred."
  }
}

run "a_wildcard_is_no_repository" {
  command = plan
  variables { repository = "octo-org/*" }
  expect_failures = [var.repository]
}

run "an_id_is_a_number" {
  command = plan
  variables { repository_ids = { owner = 0, repository = 5678 } }
  expect_failures = [var.repository_ids]
}

run "an_unknown_option_is_refused" {
  command = plan
  variables { options = ["everything"] }
  expect_failures = [var.options]
}

run "each_environment_has_a_boundary_of_its_own" {
  command = plan

  assert {
    condition     = output.permissions_boundaries == { staging = "mongo-client-staging-boundary", production = "mongo-client-production-boundary" }
    error_message = "There must be a permissions boundary for each environment."
  }
}

run "a_role_has_what_its_purpose_needs" {
  command = plan

  assert {
    condition = {
      for role in ["staging-plan", "staging-deploy", "staging-rollback"] : role => toset([
        for key in keys(aws_iam_role_policy_attachment.github) : split("/", key)[1] if startswith(key, "${role}/")
      ])
      } == {
      staging-plan     = toset(["read"])
      staging-deploy   = toset(["read", "function", "api", "monitoring", "release", "deploy"])
      staging-rollback = toset(["read", "function", "api", "monitoring", "release", "rollback"])
    }
    error_message = "A plan only reads; only a deployment stores bundles; only a rollback puts into quarantine."
  }
}
