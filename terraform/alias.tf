resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "Serves the API's traffic. The pipeline moves it."
  function_name    = aws_lambda_function.service.function_name
  function_version = aws_lambda_function.service.version

  # Terraform creates the alias; from then on only the pipeline says where it points.
  lifecycle {
    ignore_changes = [function_version, routing_config]
  }
}

resource "aws_lambda_provisioned_concurrency_config" "live" {
  count = var.provisioned_concurrency == null ? 0 : 1

  function_name                     = aws_lambda_alias.live.function_name
  qualifier                         = aws_lambda_alias.live.name
  provisioned_concurrent_executions = var.provisioned_concurrency
}
