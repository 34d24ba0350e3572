resource "aws_lambda_layer_version" "dependencies" {
  count = var.layer_package == null ? 0 : 1

  layer_name               = "${local.name}-${var.layer_package.name}"
  description              = "Packages that ${local.name} imports"
  s3_bucket                = var.artifact_bucket
  s3_key                   = var.layer_package.key
  source_code_hash         = var.layer_package.sha256_base64
  compatible_runtimes      = [var.runtime]
  compatible_architectures = [var.architecture]

  # Older versions of the function still use older versions of the layer: a rollback needs both.
  # It must be set from the first apply on, or the first replacement deletes.
  skip_destroy = true
}
