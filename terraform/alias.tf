resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "Serves the API's traffic. The pipeline moves it."
  function_name    = aws_lambda_function.mongo_client.function_name
  function_version = aws_lambda_function.mongo_client.version

  # Terraform creates the alias; from then on only the pipeline says where it points.
  lifecycle {
    ignore_changes = [function_version, routing_config]
  }
}
