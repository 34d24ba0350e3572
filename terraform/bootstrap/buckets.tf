data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  # `id` is the region's name in the provider's 5.x and 6.x alike; `name` and `region` are not.
  region = data.aws_region.current.id

  buckets = {
    for purpose in ["terraform-state", "artifacts"] : purpose => "${var.service}-${purpose}-${local.account}"
  }
}

# `pipeline bootstrap` makes them where they are missing: this stack's own state needs a place first.
import {
  for_each = local.buckets
  to       = aws_s3_bucket.pipeline[each.key]
  id       = each.value
}

resource "aws_s3_bucket" "pipeline" {
  #checkov:skip=CKV2_AWS_62:Nothing waits for objects to appear.
  #checkov:skip=CKV_AWS_18:Who reads and writes them is in CloudTrail; a log bucket would need its own.
  #checkov:skip=CKV_AWS_144:The source in git makes the bundles again; the state is versioned.
  #checkov:skip=CKV_AWS_145:Encrypted with S3's own keys; a KMS key costs, and guards no secret here.
  for_each = local.buckets
  bucket   = each.value

  # They hold what cannot be made again: the state, and every bundle that may be rolled back to.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "pipeline" {
  for_each = aws_s3_bucket.pipeline
  bucket   = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "pipeline" {
  for_each = aws_s3_bucket.pipeline
  bucket   = each.value.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "pipeline" {
  for_each                = aws_s3_bucket.pipeline
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "pipeline" {
  for_each = aws_s3_bucket.pipeline
  bucket   = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets

  statement {
    sid       = "DenyInsecureTransport"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["arn:${local.partition}:s3:::${each.value}", "arn:${local.partition}:s3:::${each.value}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # What is written once: pipeline/aws.py sends If-None-Match with it. "Enforce conditional writes on
  # Amazon S3 buckets" in the S3 user guide.
  dynamic "statement" {
    for_each = each.key == "artifacts" ? [["bundles", "packages", "ledger"]] : []

    content {
      sid       = "DenyOverwrite"
      effect    = "Deny"
      actions   = ["s3:PutObject"]
      resources = [for prefix in statement.value : "arn:${local.partition}:s3:::${each.value}/${prefix}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }

      condition {
        test     = "Null"
        variable = "s3:if-none-match"
        values   = ["true"]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "pipeline" {
  for_each = aws_s3_bucket.pipeline
  bucket   = each.value.id
  policy   = data.aws_iam_policy_document.bucket[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.pipeline]
}

resource "aws_s3_bucket_lifecycle_configuration" "pipeline" {
  for_each = aws_s3_bucket.pipeline
  bucket   = each.value.id

  # What replaced objects were: long enough to find out that a state is damaged.
  rule {
    id     = "old-versions"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # A release renews its lease every five seconds.
  dynamic "rule" {
    for_each = each.key == "artifacts" ? ["lease/"] : []

    content {
      id     = "old-leases"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      noncurrent_version_expiration {
        noncurrent_days = 1
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.pipeline]
}
