terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # Bucket, key and region come from the pipeline: one state object an environment, in the
  # account's state bucket. use_lockfile needs Terraform 1.10.
  backend "s3" {
    use_lockfile = true
  }
}

provider "aws" {
  default_tags {
    tags = {
      service     = var.service
      environment = var.environment
    }
  }
}
