"""Take the mongo-client Lambda function from source to production and back."""
