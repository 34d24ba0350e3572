resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158:Holds no documents and no keys; CloudWatch Logs encrypts it with its own key.
  #checkov:skip=CKV_AWS_338:How long is a setting of the environment; nobody audits by this log.
  name              = "/aws/lambda/${local.name}"
  retention_in_days = var.log_retention_days
}

# Under /aws/vendedlogs/, or each API's group takes its share of the one resource policy of 5,120
# characters by which API Gateway may write: "Enabling logging from AWS services", CloudWatch Logs.
resource "aws_cloudwatch_log_group" "api" {
  #checkov:skip=CKV_AWS_158:Holds no documents and no keys; CloudWatch Logs encrypts it with its own key.
  #checkov:skip=CKV_AWS_338:How long is a setting of the environment; nobody audits by this log.
  name              = "/aws/vendedlogs/apigateway/${local.name}"
  retention_in_days = var.log_retention_days
}
