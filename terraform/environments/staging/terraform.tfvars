environment          = "staging"
permissions_boundary = "mongo-client-function"
