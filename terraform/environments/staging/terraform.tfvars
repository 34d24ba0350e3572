environment           = "staging"
mongodb_uri_parameter = "/mongo-client/staging/mongodb-uri"
permissions_boundary  = "mongo-client-function"
