"""The handler, with its parameter read as most functions do: by boto3, imported during init."""

import boto3
import lambda_function
from botocore.config import Config
from lambda_function import lambda_handler

__all__ = ["lambda_handler"]


def _read_parameter(name: str, limit_s: float) -> str:
    config = Config(connect_timeout=limit_s, read_timeout=limit_s)
    answer = boto3.client("ssm", config=config).get_parameter(Name=name, WithDecryption=True)
    value: str = answer["Parameter"]["Value"]
    return value


lambda_function.read_parameter = _read_parameter
