environment          = "production"
log_retention_days   = 90
permissions_boundary = "mongo-client-production-boundary"
