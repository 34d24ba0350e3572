output "role_arns" {
  description = "ARN of each role for GitHub's jobs, by <environment>-<purpose>."
  value       = { for role, each in aws_iam_role.github : role => each.arn }
}

output "permissions_boundaries" {
  description = "Name of the permissions boundary of the function's role, by environment."
  value       = { for environment, each in aws_iam_policy.function_boundary : environment => each.name }
}

output "state_bucket" {
  description = "Bucket of Terraform's state."
  value       = aws_s3_bucket.pipeline["terraform-state"].bucket
}

output "artifact_bucket" {
  description = "Bucket of the bundles, packages and ledgers."
  value       = aws_s3_bucket.pipeline["artifacts"].bucket
}
