environment           = "production"
mongodb_uri_parameter = "/mongo-client/production/mongodb-uri"
log_retention_days    = 90
permissions_boundary  = "mongo-client-function"
