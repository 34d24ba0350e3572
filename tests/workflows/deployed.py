"""What the workflows have deployed, as a person looks at it; and what they find to begin with."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import boto3

from scratch.project import Project
from tests.support import http
from tests.workflows.runner import Runner

ENVIRONMENTS = ("staging", "production")


def url(runner: Runner, environment: str) -> str:
    """Return the address of an environment's API."""
    return runner.cloud["API_URL"].replace("mongo-client-local", f"mongo-client-{environment}")


def serves(runner: Runner, environment: str) -> str:
    """Return the version that answers over HTTP, and insist that it is healthy."""
    status, body = http.get(f"{url(runner, environment)}/api/health")
    assert status == 200, body
    return str(body["functionVersion"])


def releases(project: Project, environment: str) -> list[dict[str, Any]]:
    """Return an environment's releases, newest first."""
    return list(json.loads(project.must("releases", "--environment", environment, "--json")))


def client(runner: Runner, service: Any) -> Any:
    """Return a client of an AWS service that may do everything."""
    return boto3.client(
        service,
        endpoint_url=runner.cloud["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="somebody",
        aws_secret_access_key="somebody",
    )


def deploy(runner: Runner, project: Project, bundle: Path, *environments: str) -> None:
    """Deploy a bundle from outside of the workflows, and leave what deploy.yml leaves on GitHub.

    Those are the attestation of its packages, and a deployment of main's newest commit.
    """
    attest(runner, bundle)
    commit = runner.repository.git("rev-parse", "main")
    owner = Project(project.folder, {**project.environment, "GITHUB_SHA": commit})
    for environment in environments:
        owner.must(
            *("deploy", "--environment", environment, "--bundle", str(bundle)),
            *("--skip-promotion-check", "--reason", "before"),
        )
        runner.hub.deployed(environment, commit)


def attest(runner: Runner, bundle: Path) -> None:
    """Vouch for a bundle's packages as build.yml does in a run on main."""
    for package in bundle.glob("*.zip"):
        file = attestation(runner, package)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("refs/heads/main")


def attestation(runner: Runner, package: Path) -> Path:
    """Return the file that holds the attestation of a package."""
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    return runner.hub.state / "attestations" / f"{digest}.build.yml"


def build_another(project: Project, bundle: Path, name: str = "another") -> Path:
    """Change the handler, build it with the layer of `bundle`, and return the new bundle."""
    project.append_to_handler(f"\nCHANGED = {name!r}\n")
    folder = project.folder / name
    shutil.copytree(bundle, folder)
    project.must("build", "--out", str(folder))
    return folder
