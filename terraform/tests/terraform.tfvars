# What both files of tests have in common.

environment      = "staging"
service          = "mongo-client"
description      = "What answers"
secrets          = ["mongodb-uri"]
artifact_bucket  = "artifacts"
function_package = { key = "packages/f/lambda_function.zip", sha256_base64 = "Zg==" }
layer_package    = { name = "pymongo", key = "packages/l/pymongo-layer.zip", sha256_base64 = "bA==" }
handler          = "lambda_function.lambda_handler"
runtime          = "python3.13"
architecture     = "x86_64"
