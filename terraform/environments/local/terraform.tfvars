environment           = "local"
mongodb_uri_parameter = "/mongo-client/local/mongodb-uri"
log_retention_days    = 1
