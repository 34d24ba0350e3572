"""Run Terraform, and read its plans."""
