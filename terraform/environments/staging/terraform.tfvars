environment          = "staging"
permissions_boundary = "mongo-client-staging-boundary"
