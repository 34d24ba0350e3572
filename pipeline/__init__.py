"""Take a Lambda function from source to production and back."""
