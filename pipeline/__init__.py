"""Build, inspect, deploy and roll back a Lambda function."""
