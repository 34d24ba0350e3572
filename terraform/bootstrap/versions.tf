terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # In the state bucket that this stack itself describes: `pipeline bootstrap` makes that one first.
  backend "s3" {
    use_lockfile = true
  }
}

provider "aws" {
  default_tags {
    tags = {
      service = var.service
    }
  }
}
