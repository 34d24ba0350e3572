"""bootstrap: create an account's buckets, the identity provider for GitHub, and roles, once."""

from __future__ import annotations

import re
from typing import Any

import click

from pipeline import aws
from pipeline.cli import console
from pipeline import repository as setup
from pipeline.terraform import runner
from pipeline.aws import Aws, absent_if
from pipeline.errors import GitHubError, UsageError
from pipeline.cli.help import examples
from pipeline.terraform.plan import read_plan
from pipeline.cli.options import Repository, allow_destroy_option
from pipeline.terraform.plan import in_words
from pipeline.config import (
    APPROVAL,
    BOOTSTRAP_DIR,
    DEPLOYED_FROM_GITHUB,
    GITHUB_ENVIRONMENTS,
    LAYER,
    SERVICE,
)
from pipeline.terraform.runner import Stack

_STACK = Stack(BOOTSTRAP_DIR, "bootstrap", f"{SERVICE}/bootstrap.tfstate")


@click.command(
    "bootstrap", epilog=examples("bootstrap --repository octocat/mongo-client --ids 583231/1296269")
)
@click.option(
    "--repository",
    type=Repository(),
    required=True,
    metavar="OWNER/NAME",
    help="GitHub repository.",
)
@click.option(
    "--ids",
    metavar="OWNER_ID/REPOSITORY_ID",
    help="Ids of both, as in the repository's identity tokens. Default: from GitHub, with gh.",
)
@allow_destroy_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def command(repository: str, ids: str | None, allowed: tuple[str, ...], yes: bool) -> None:
    """Prepare an AWS account for GitHub Actions.

    Prints the commands that configure the repository. Can be run again.
    """
    variables = _given(repository, ids)
    account = aws.connect()
    if not yes:
        click.confirm(f"Prepare account {account.account_id} for {repository}?", abort=True)
    _make_buckets(account)
    with runner.workspace(_STACK) as tf:
        plan = tf.plan(account, {**variables, "oidc_provider_arn": account.identity_provider()})
        planned = read_plan(plan.document)
        for line in in_words(planned):
            console.say(line)
        planned.refuse_destruction(allowed)
        if not planned.empty:
            if not yes:
                click.confirm("Apply this plan?", abort=True)
            tf.apply(plan)
    console.result(f"account {account.account_id} is ready. Configure GitHub:\n")
    for line in _wiring(account, repository):
        console.result(line)


def _given(repository: str, ids: str | None) -> dict[str, Any]:
    """Return the options as Terraform's variables. Raises click.BadParameter or UsageError."""
    owner, own = _parsed(repository, ids) if ids else _asked(repository)
    return {
        "service": SERVICE,
        "layer": LAYER,
        "repository": repository,
        "environments": DEPLOYED_FROM_GITHUB,
        "repository_ids": {"owner": owner, "repository": own},
    }


def _parsed(repository: str, ids: str) -> tuple[int, int]:
    if not (found := re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", ids)):
        raise click.BadParameter(
            f"{ids!r} is not OWNER_ID/REPOSITORY_ID. {_ids_command(repository)} prints them.",
            param_hint="'--ids'",
        )
    return int(found[1]), int(found[2])


def _asked(repository: str) -> tuple[int, int]:
    """Return the ids of the owner and the repository, from GitHub. Raises UsageError."""
    try:
        found = setup.ids(repository)
    except GitHubError as error:
        raise UsageError(
            f"--ids is missing, and GitHub cannot be reached: {error.message}",
            "Give both ids.",
            command=_ids_command(repository),
        ) from error
    if found is None:
        raise UsageError(
            f"GitHub has no repository {repository}, or gh has no access to it",
            "Check the name, and the account that gh uses.",
            command="gh auth status",
        )
    return found


def _ids_command(repository: str) -> str:
    return f"gh api repos/{repository} --jq '\"\\(.owner.id)/\\(.id)\"'"


def _make_buckets(account: Aws) -> None:
    """Create the buckets that are missing: Terraform takes them over and does the rest."""
    where: dict[str, Any] = {}
    if account.region != "us-east-1":  # which S3 does not take for a location
        where["CreateBucketConfiguration"] = {"LocationConstraint": account.region}
    for bucket in (account.state_bucket, account.artifact_bucket):
        there = absent_if(
            "404",
            lambda: account.s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account.account_id),
        )
        if there is None:
            account.s3.create_bucket(Bucket=bucket, **where)


def _wiring(account: Aws, repository: str) -> list[str]:
    """Return the commands that configure the repository: variables, environments, the ruleset."""
    lines = [
        f"gh variable set {name} --repo {repository} --body {value}"
        for name, value in account.github_variables.items()
    ]
    for name in GITHUB_ENVIRONMENTS:
        lines += setup.environment_commands(repository, name)
    settings = f"https://github.com/{repository}/settings/environments"
    return [
        *lines,
        setup.ruleset_command(repository),
        f"# and name the reviewers of {APPROVAL}: {settings}",
        "# and the owners of what decides: .github/CODEOWNERS",
    ]
