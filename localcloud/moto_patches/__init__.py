"""What moto lacks, one module per AWS service."""
