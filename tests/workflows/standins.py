"""What stands in for actions of the marketplace, and for `gh attestation verify`.

They do here what the real ones do on GitHub, as far as our workflows rely on it. Everything else is
real. This file runs inside of a job, by itself: standard library and boto3 only.

    python standins.py <what> [arguments]        with the action's inputs as JSON in $INPUTS
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

# The inputs and outputs of each action that its stand-in knows. A workflow that uses another one
# must teach it first: `test_rules.py` compares.
ACTIONS: dict[str, tuple[list[str], list[str]]] = {
    "actions/attest": (["subject-path"], []),
    "actions/checkout": (["ref", "persist-credentials"], []),
    "actions/download-artifact": (
        ["name", "artifact-ids", "pattern", "path", "merge-multiple"],
        [],
    ),
    "actions/setup-python": (["python-version-file", "check-latest"], []),
    "actions/upload-artifact": (
        ["name", "path", "if-no-files-found", "compression-level", "retention-days"],
        ["artifact-id"],
    ),
    "aws-actions/configure-aws-credentials": (["role-to-assume", "aws-region"], []),
    "hashicorp/setup-terraform": (["terraform_version", "terraform_wrapper"], []),
}

# A pin is worth what its commit is worth: these are the commits that the release tags point at.
PINNED = {
    "actions/attest": "1e69f48acb82d1966a394da916b4c1698aa569d6 # v4.2.2",
    "actions/checkout": "3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
    "actions/download-artifact": "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1",
    "actions/setup-python": "5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0",
    "actions/upload-artifact": "043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1",
    "aws-actions/configure-aws-credentials": "e6de054238d6b7531b4efff3b6587d9aade6a06c # v6.2.3",
    "hashicorp/setup-terraform": "dfe3c3f87815947d99a8997f908cb6525fc44e9e # v4.0.1",
}

STATE = Path(os.environ.get("STAND_IN_STATE", "."))
INPUTS = json.loads(os.environ.get("INPUTS", "{}"))


def main() -> None:
    """Do what the first argument names."""
    what, *arguments = sys.argv[1:]
    known: dict[str, Callable[[], None]] = {
        "actions/attest": attest,
        "actions/checkout": checkout,
        "actions/download-artifact": download_artifact,
        "actions/setup-python": setup_python,
        "actions/upload-artifact": upload_artifact,
        "aws-actions/configure-aws-credentials": configure_aws_credentials,
        "hashicorp/setup-terraform": setup_terraform,
        "attestation": lambda: verify_attestation(arguments),
        "identity": identity,
        "assumed": assumed,
    }
    known[what]()


def checkout() -> None:
    """Check a commit out of origin. (Without a `ref` the runner itself copies the work tree.)"""
    for entry in Path.cwd().iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    subprocess.run(["git", "clone", "--quiet", os.environ["STAND_IN_ORIGIN"], "."], check=True)
    subprocess.run(["git", "checkout", "--quiet", INPUTS["ref"]], check=True)


def setup_python() -> None:
    if not Path(INPUTS["python-version-file"]).is_file():
        _fail(f"there is no file {INPUTS['python-version-file']}")
    # Python alone: what lies beside it, such as the real `gh`, is not the real action's to bring.
    folder = Path(os.environ["RUNNER_TEMP"], "python")
    folder.mkdir(parents=True)
    (folder / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python").chmod(0o755)
    _append("GITHUB_PATH", str(folder))


def setup_terraform() -> None:
    """Terraform is there; the wrapper, unless it is switched off, would not be what we rely on."""
    if INPUTS["terraform_wrapper"] != "false":
        _fail("the wrapper is on")


def upload_artifact() -> None:
    """Keep a file or a folder's content, under the run's id and a name that is new in that run."""
    source = Path(INPUTS["path"])
    if not any(path.is_file() for path in (source, *source.rglob("*"))):
        if INPUTS["if-no-files-found"] == "ignore":
            return
        _fail(f"No files were found with the provided path: {source}.")
    target = _artifacts() / INPUTS["name"]
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.mkdir(parents=True)
        shutil.copy(source, target)
    _append("GITHUB_OUTPUT", f"artifact-id={artifact_id(target)}")


def download_artifact() -> None:
    """Fetch artifacts of this run: one by name or by id, or all whose names fit a pattern."""
    target = Path(INPUTS["path"] or ".")
    there = sorted(_artifacts().iterdir()) if _artifacts().is_dir() else []
    if pattern := INPUTS["pattern"]:
        for artifact in there:
            if fnmatch.fnmatch(artifact.name, pattern):
                shutil.copytree(artifact, target / artifact.name)
        return
    for artifact in there:
        if INPUTS["name"] == artifact.name or INPUTS["artifact-ids"] == artifact_id(artifact):
            shutil.copytree(artifact, target, dirs_exist_ok=True)
            return
    _fail("Unable to download artifact(s): Artifact not found for name or id")


def artifact_id(artifact: Path) -> str:
    """Return the id of an artifact, which lies in `<run id>/<name>`."""
    return str(zlib.crc32("/".join(artifact.parts[-2:]).encode()))


def attest() -> None:
    """Remember which workflow vouches for which bytes."""
    for path in glob.glob(INPUTS["subject-path"]):
        vouched = _attestations() / f"{_sha256(path)}.{os.environ['STAND_IN_WORKFLOW']}"
        vouched.parent.mkdir(exist_ok=True)
        vouched.write_text(os.environ["GITHUB_REF"])


def verify_attestation(arguments: list[str]) -> None:
    """Answer `gh attestation verify FILE --repo R --signer-workflow W --source-ref REF`."""
    _, file, *options = arguments
    asked = dict(zip(options[::2], options[1::2], strict=True))
    repository = os.environ["GITHUB_REPOSITORY"]
    workflow = asked["--signer-workflow"].removeprefix(f"{repository}/.github/workflows/")
    vouched = _attestations() / f"{_sha256(file)}.{workflow}"
    if (
        asked["--repo"] != repository
        or not vouched.is_file()
        or vouched.read_text() != asked["--source-ref"]
    ):
        _fail(f"no attestations found for subject sha256:{_sha256(file)}")
    print(f"✓ Verification succeeded! sha256:{_sha256(file)} was attested by {workflow}")


def identity() -> None:
    """Say whom GitHub would vouch for in this job, which only GitHub knows for certain.

    It is told by the role that is asked for and the event. When the run is over, the workflow file
    tells whether that was right: see `trust.py`.
    """
    found = re.search(r"mongo-client-(\w+)-(deploy|rollback)$", INPUTS["role-to-assume"])
    if found:
        job = f"environment:{found[1]}{'-rollback' if found[2] == 'rollback' else ''}"
    elif os.environ["GITHUB_EVENT_NAME"] == "pull_request":
        job = "pull_request"
    else:
        job = f"ref:{os.environ['GITHUB_REF']}"
    claims = {
        "sub": f"repo:{os.environ['GITHUB_REPOSITORY']}:{job}",
        "ref": os.environ["GITHUB_REF"],
    }
    url = os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"]
    _append("GITHUB_ENV", f"ACTIONS_ID_TOKEN_REQUEST_URL={url}&{urllib.parse.urlencode(claims)}")
    print(f"identity {claims['sub']}")


def configure_aws_credentials() -> None:
    """Exchange the job's identity token for a role's credentials, as the real action does by OIDC.

    Whether the role trusts the token is for AWS to say.
    """
    import boto3

    role = INPUTS["role-to-assume"]
    audience = "sts.amazonaws.com"
    request = urllib.request.Request(
        f"{os.environ['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={urllib.parse.quote(audience)}",
        headers={"Authorization": f"Bearer {os.environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"},
    )
    with urllib.request.urlopen(request) as answer:
        token = json.load(answer)["value"]
    region = INPUTS["aws-region"]
    sts = boto3.client("sts", region_name=region, aws_access_key_id="", aws_secret_access_key="")
    assumed = sts.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="GitHubActions", WebIdentityToken=token
    )["Credentials"]
    for name, value in {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": assumed["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": assumed["SecretAccessKey"],
        "AWS_SESSION_TOKEN": assumed["SessionToken"],
    }.items():
        _append("GITHUB_ENV", f"{name}={value}")


def assumed() -> None:
    """Print the role that the job has, and give its credentials to the running provider.

    The provider reads them from a shared credentials file, for it is no process of the job.
    """
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    lines = [f"{name.lower()} = {os.environ[name]}" for name in names]
    Path(os.environ["STAND_IN_CREDENTIALS"]).write_text("\n".join(["[default]", *lines, ""]))
    print(f"assumed {INPUTS['role-to-assume']}")


def _artifacts() -> Path:
    return STATE / "artifacts" / os.environ["GITHUB_RUN_ID"]


def _attestations() -> Path:
    return STATE / "attestations"


def _sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _append(variable: str, line: str) -> None:
    with open(os.environ[variable], "a", encoding="utf-8") as file:
        file.write(line + "\n")


def _fail(message: str) -> NoReturn:
    sys.exit(f"::error::{message}")


if __name__ == "__main__":
    main()
