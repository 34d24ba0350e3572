"""AWS, the Lambda runtime, API Gateway's HTTP front and MongoDB, for real, on this machine."""
