"""What stands in for actions of the marketplace, and for `gh attestation verify`.

They do here what the real ones do on GitHub, as far as our workflows rely on it. Everything else is
real. This file runs inside of a job, by itself: standard library and boto3 only.

    python fake_actions.py <what> [arguments]        with the action's inputs as JSON in $INPUTS
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
import urllib.error
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
    "actions/deploy-pages": (["artifact_name"], ["page_url"]),
    "actions/download-artifact": (
        ["name", "artifact-ids", "pattern", "path", "merge-multiple"],
        [],
    ),
    "actions/setup-python": (["python-version"], []),
    "actions/upload-artifact": (
        ["name", "path", "if-no-files-found", "compression-level", "retention-days", "overwrite"],
        ["artifact-id"],
    ),
    "actions/upload-pages-artifact": (["name", "path"], ["artifact_id"]),
    "aws-actions/configure-aws-credentials": (
        ["role-to-assume", "aws-region", "allowed-account-ids"],
        [],
    ),
    "hashicorp/setup-terraform": (["terraform_version", "terraform_wrapper"], []),
    "step-security/harden-runner": (["egress-policy"], []),
}

# The ids of the repository and its owner, which identity tokens carry.
OWNER_ID, REPOSITORY_ID = "1234", "5678"

STATE = Path(os.environ.get("STAND_IN_STATE", "."))
INPUTS = json.loads(os.environ.get("INPUTS", "{}"))


def main() -> None:
    """Run the action that the first argument names."""
    what, *arguments = sys.argv[1:]
    known: dict[str, Callable[[], None]] = {
        "actions/attest": attest,
        "actions/checkout": checkout,
        "actions/deploy-pages": deploy_pages,
        "actions/download-artifact": download_artifact,
        "actions/setup-python": setup_python,
        "actions/upload-artifact": upload_artifact,
        "actions/upload-pages-artifact": upload_pages_artifact,
        "aws-actions/configure-aws-credentials": configure_aws_credentials,
        "hashicorp/setup-terraform": setup_terraform,
        "step-security/harden-runner": harden_runner,
        "attestation": lambda: verify_attestation(arguments),
        "aws": lambda: aws(arguments),
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
    if not re.fullmatch(r"3\.13\.\d+", INPUTS["python-version"]):
        _fail(f"{INPUTS['python-version']} is not a patch release")
    # Python alone: the real action does not bring what is next to it, such as the real `gh`.
    folder = Path(os.environ["RUNNER_TEMP"], "python")
    folder.mkdir(parents=True, exist_ok=True)  # a job can set itself up twice
    (folder / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python").chmod(0o755)
    _append("GITHUB_PATH", str(folder))


def setup_terraform() -> None:
    """Put it on the job's PATH. The wrapper, unless it is switched off, is not what we rely on."""
    if INPUTS["terraform_wrapper"] != "false":
        _fail("the wrapper is on")
    _download_from("releases.hashicorp.com")
    folder = Path(os.environ["RUNNER_TEMP"], "terraform")
    folder.mkdir(parents=True)
    (folder / "terraform").symlink_to(os.environ["STAND_IN_TERRAFORM"])
    _append("GITHUB_PATH", str(folder))


def aws(arguments: list[str]) -> None:
    """Answer `aws s3 cp [--only-show-errors] s3://BUCKET/KEY FILE`, as the image's AWS CLI does."""
    import boto3
    from botocore.exceptions import ClientError

    assert arguments[:2] == ["s3", "cp"]
    source, target = (argument for argument in arguments[2:] if argument != "--only-show-errors")
    bucket, _, key = source.removeprefix("s3://").partition("/")
    s3 = boto3.client("s3")
    try:
        s3.head_object(Bucket=bucket, Key=key)
        content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        sys.exit(f"fatal error: {error}")
    if target == "-":
        sys.stdout.buffer.write(content)
    else:
        Path(target).write_bytes(content)


def harden_runner() -> None:
    """Watch what a job calls, which changes nothing of it."""
    if INPUTS["egress-policy"] != "audit":
        _fail("this stand-in blocks nothing")


def upload_artifact() -> None:
    """Keep a file or a folder's content, under the run's id and attempt and a name.

    An attempt has one artifact of a name. With `overwrite`, so has the run.
    """
    source = Path(INPUTS["path"])
    if not any(path.is_file() for path in (source, *source.rglob("*"))):
        if INPUTS["if-no-files-found"] == "ignore":
            return
        _fail(f"No files were found with the provided path: {source}.")
    _append("GITHUB_OUTPUT", f"artifact-id={artifact_id(_keep(source))}")


def upload_pages_artifact() -> None:
    """Pack a folder as GitHub Pages takes it, and keep that."""
    packed = Path(os.environ["RUNNER_TEMP"], "artifact.tar")
    subprocess.run(["tar", "-C", INPUTS["path"], "-cf", str(packed), "."], check=True)
    _append("GITHUB_OUTPUT", f"artifact_id={artifact_id(_keep(packed))}")


def deploy_pages() -> None:
    """Publish the artifact of a name, which must be the only one in the run.

    The action's src/internal/api-client.js refuses several ("Multiple artifacts named").
    """
    found = [
        artifact for artifact in artifacts(_artifacts()) if artifact.name == INPUTS["artifact_name"]
    ]
    if len(found) != 1:
        _fail(f"Artifact count is {len(found)}.")
    sites = STATE / "sites"
    sites.mkdir(exist_ok=True)
    shutil.copytree(found[0], sites / f"{len(list(sites.iterdir())):03d}")
    owner, _, name = os.environ["GITHUB_REPOSITORY"].partition("/")
    _append("GITHUB_OUTPUT", f"page_url=https://{owner}.github.io/{name}/")


def _keep(source: Path) -> Path:
    """Keep a file or a folder's content as an artifact, and return where."""
    target = _artifacts() / os.environ["GITHUB_RUN_ATTEMPT"] / str(INPUTS["name"])
    if INPUTS.get("overwrite") == "true":
        for older in artifacts(_artifacts()):
            if older.name == target.name:
                shutil.rmtree(older)
    if target.exists():
        _fail("Conflict: an artifact with this name already exists on the workflow run")
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.mkdir(parents=True)
        shutil.copy(source, target)
    return target


def download_artifact() -> None:
    """Fetch artifacts of this run: one by name or by id, or all whose names fit a pattern.

    As in the action's src/download-artifact.ts, a single match is extracted flat, and several
    into a folder each, unless they are merged. Of several attempts' artifacts of one name, the
    oldest is fetched: the action takes the highest id, and ids are not monotonic.
    """
    target = Path(INPUTS["path"] or ".")
    every = artifacts(_artifacts())
    if pattern := INPUTS["pattern"]:
        found = [each for each in every if fnmatch.fnmatch(each.name, pattern)]
        flat = len(found) == 1 or INPUTS["merge-multiple"] == "true"
        for each in found:
            shutil.copytree(each, target if flat else target / each.name, dirs_exist_ok=True)
        return
    for each in every:
        if INPUTS["name"] == each.name or INPUTS["artifact-ids"] == artifact_id(each):
            shutil.copytree(each, target, dirs_exist_ok=True)
            return
    _fail("Unable to download artifact(s): Artifact not found for name or id")


def artifacts(run: Path) -> list[Path]:
    """Return the artifacts in a run's folder, which lie in `<attempt>/<name>`: the oldest first."""
    return sorted(run.glob("*/*"))


def artifact_id(artifact: Path) -> str:
    """Return the id of an artifact, which lies in `<run id>/<attempt>/<name>`."""
    return str(zlib.crc32("/".join(artifact.parts[-3:]).encode()))


def attest() -> None:
    """Remember which workflow vouches for which bytes."""
    for path in glob.glob(INPUTS["subject-path"]):
        # GitHub knows which file the job is in; here test_rules.py sees to it.
        vouched = _attestations() / f"{_sha256(path)}.build.yml"
        vouched.parent.mkdir(exist_ok=True)
        vouched.write_text(os.environ["GITHUB_REF"])


def verify_attestation(arguments: list[str]) -> None:
    """Answer `gh attestation verify FILE --repo R --signer-workflow W --source-ref REF`."""
    _download_from("tuf-repo-cdn.sigstore.dev")
    _, file, *options = arguments
    requested = dict(zip(options[::2], options[1::2], strict=True))
    repository = os.environ["GITHUB_REPOSITORY"]
    workflow = requested["--signer-workflow"].removeprefix(f"{repository}/.github/workflows/")
    vouched = _attestations() / f"{_sha256(file)}.{workflow}"
    if (
        requested["--repo"] != repository
        or not vouched.is_file()
        or vouched.read_text() != requested["--source-ref"]
    ):
        _fail(f"no attestations found for subject sha256:{_sha256(file)}")
    print(f"✓ Verification succeeded! sha256:{_sha256(file)} was attested by {workflow}")


def identity() -> None:
    """Return whom GitHub would vouch for in this job, which only GitHub knows for certain.

    The role and the event determine it. When the run is over, the workflow file
    shows whether that was right: see `trust.py`.
    """
    found = re.search(r"mongo-client-(\w+)-(deploy|rollback)$", INPUTS["role-to-assume"])
    workflow = os.environ["STAND_IN_WORKFLOW"]
    if found:
        job = f"environment:{found[1]}{'-rollback' if found[2] == 'rollback' else ''}"
        workflow = f"{found[2].replace('deploy', 'release')}.yml"
    elif os.environ["GITHUB_EVENT_NAME"] == "pull_request":
        job = "pull_request"
    else:
        job = f"ref:{os.environ['GITHUB_REF']}"
    repository = os.environ["GITHUB_REPOSITORY"]
    owner, _, name = repository.partition("/")
    claims = {
        # With ids, as a repository sends it that was created since 2026-07-15.
        "sub": f"repo:{owner}@{OWNER_ID}/{name}@{REPOSITORY_ID}:{job}",
        "ref": os.environ["GITHUB_REF"],
        "repository_id": REPOSITORY_ID,
        "job_workflow_ref": f"{repository}/.github/workflows/{workflow}@{os.environ['GITHUB_REF']}",
    }
    url = os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"]
    _append("GITHUB_ENV", f"ACTIONS_ID_TOKEN_REQUEST_URL={url}&{urllib.parse.urlencode(claims)}")
    print(f"identity {claims['sub']} in {claims['job_workflow_ref']}")


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


def _download_from(host: str) -> None:
    """Do as the real thing does that needs a host beyond GitHub and AWS: fail if it is refused."""
    if url := os.environ.get("STAND_IN_NETWORK"):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            opener.open(f"{url}/{host}").close()
        except urllib.error.HTTPError:
            _fail(f"getaddrinfo ENOTFOUND {host}")


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
