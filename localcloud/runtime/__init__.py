"""Execution environments of Lambda functions, and Invoke."""
