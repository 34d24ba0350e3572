"""What a function finds around it: variables, layers, packages, and the rest of AWS."""

from __future__ import annotations

import pytest

from localcloud import downloads
from pipeline.packaging.zip_writer import write_zip
from tests.localcloud.aws import Aws
from tests.localcloud.clouds import Cloud

pytestmark = pytest.mark.integration


def test_environment_variables_are_the_functions_own(aws: Aws) -> None:
    """The function sees its variables as they were set, and none of localcloud's surroundings."""
    source = "import os\ndef handler(event, context): return dict(os.environ)"
    mine = {"GREETING": "it's $HOME \n", "TZ": "Asia/Tokyo"}
    seen = aws.call(aws.function(source, Environment={"Variables": mine})).payload
    assert seen.items() >= mine.items()
    assert not {"HOME", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST", "MONGODB_URI"} & seen.keys()


def test_lambdas_variables_are_there(aws: Aws) -> None:
    """The reserved variables have the function's name and its log group."""
    source = "import os\ndef handler(event, context): return dict(os.environ)"
    name = aws.function(source, LoggingConfig={"LogGroup": "/tests/elsewhere"})
    seen = aws.call(name).payload
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert seen["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert seen["AWS_LAMBDA_LOG_GROUP_NAME"] == "/tests/elsewhere"
    assert seen["AWS_REGION"] == "us-east-1"
    assert seen["_HANDLER"] == "app.handler"


def test_modules_of_a_layer_can_be_imported(aws: Aws) -> None:
    """python/ and python/lib/python3.13/site-packages of each layer are on the path."""
    folders = {"first": "python", "second": "python/lib/python3.13/site-packages"}
    layers = [
        aws.functions.publish_layer_version(
            LayerName=f"tests-{name}",
            Content={"ZipFile": write_zip({f"{folder}/{name}.py": f"HERE = '{name}'".encode()})},
        )["LayerVersionArn"]
        for name, folder in folders.items()
    ]
    source = "import first, second\ndef handler(event, context): return first.HERE + second.HERE"
    assert aws.call(aws.function(source, Layers=layers)).payload == "firstsecond"


def test_a_layers_programs_can_be_run(aws: Aws) -> None:
    """Modes are kept, and its bin/ is on the path."""
    files = {"bin/hello": b"#!/bin/sh\necho hello", "python/tool/hello": b"#!/bin/sh\necho tool"}
    layer = aws.functions.publish_layer_version(
        LayerName="tests-programs", Content={"ZipFile": write_zip(files, executable=files.keys())}
    )["LayerVersionArn"]
    source = """
        import subprocess, sys

        def handler(event, context):
            [tool] = [path for path in sys.path if path.endswith("/python")]
            paths = ("hello", f"{tool}/tool/hello")
            return [subprocess.check_output(path, text=True) for path in paths]
    """
    assert aws.call(aws.function(source, Layers=[layer])).payload == ["hello\n", "tool\n"]


def test_only_the_runtimes_packages_can_be_imported(aws: Aws) -> None:
    """boto3 is there, as on Lambda; what localcloud and the tests are made of is not."""
    source = """
        import importlib.util

        def handler(event, context):
            return [name for name in event if importlib.util.find_spec(name)]
    """
    names = ["boto3", "botocore", "flask", "localcloud", "moto", "pymongo", "pytest", "werkzeug"]
    assert aws.call(aws.function(source), names).payload == ["boto3", "botocore"]


def test_boto3_comes_from_the_runtime(aws: Aws) -> None:
    """The function's boto3 is the pinned one of the runtime, not this Python's."""
    source = "import boto3\ndef handler(event, context): return boto3.__file__"
    found = aws.call(aws.function(source)).payload
    assert found.startswith(f"{downloads.RUNTIME_PACKAGES}/")


def test_a_function_reaches_the_same_aws(aws: Aws, cloud: Cloud) -> None:
    """With its default settings, the function's boto3 talks to this cloud."""
    source = """
        import boto3

        def handler(event, context):
            parameters = boto3.client("ssm")
            found = parameters.get_parameter(Name=event, WithDecryption=True)
            return found["Parameter"]["Value"]
    """
    value = aws.call(aws.function(source), "/mongo-client/local/mongodb-uri").payload
    assert value == cloud.settings["MONGODB_URI"]


def test_a_function_may_do_what_its_role_allows(aws: Aws) -> None:
    """It reads parameters; it does not list buckets."""
    source = """
        import boto3

        def handler(event, context):
            try:
                boto3.client("s3").list_buckets()
            except Exception as error:
                return str(error)
    """
    assert "AccessDenied" in aws.call(aws.function(source)).payload


def test_nothing_is_written_beside_the_code(aws: Aws) -> None:
    """Lambda's disk is read-only there, so Python keeps no compiled files."""
    source = b"import os, other\ndef handler(event, context): return sorted(os.listdir())"
    name = aws.function("")
    aws.functions.update_function_code(
        FunctionName=name, ZipFile=write_zip({"app.py": source, "other.py": b""})
    )
    assert aws.call(name).payload == ["app.py", "other.py"]
