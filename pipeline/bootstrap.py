"""bootstrap: make an account ready, once: buckets, GitHub's identity provider, roles."""

from __future__ import annotations

import re
from typing import Any

import click

from pipeline import aws, output, terraform
from pipeline.aws import Aws, absent_if
from pipeline.errors import UsageError
from pipeline.judge import judge
from pipeline.plan import in_words
from pipeline.project import BOOTSTRAP_DIR, SERVICE
from pipeline.terraform import Stack

_ISSUER = "token.actions.githubusercontent.com"
_STACK = Stack(BOOTSTRAP_DIR, "bootstrap", f"{SERVICE}/bootstrap.tfstate")


@click.command("bootstrap")
@click.option("--repository", required=True, metavar="OWNER/NAME", help="Repository on GitHub.")
@click.option(
    "--ids",
    metavar="OWNER_ID/REPOSITORY_ID",
    help="Ids of both, if the repository was created, renamed or transferred since 2026-07-15.",
)
def command(repository: str, ids: str | None) -> None:
    """Make the account ready for GitHub's jobs. Can be run again."""
    account = aws.connect()
    variables = _variables(account, repository, ids)
    _make_buckets(account)
    with terraform.workspace(_STACK) as tf:
        plan = tf.plan(account, variables)
        verdict = judge(plan.document)
        for line in in_words(verdict):
            output.say(line)
        verdict.refuse_destruction(())
        if not verdict.empty:
            tf.apply(plan)
    output.result(f"account {account.account_id} is ready. In the repository:")
    for line in _wiring(account, repository):
        output.result(line)


def _variables(account: Aws, repository: str, ids: str | None) -> dict[str, Any]:
    variables: dict[str, Any] = {"repository": repository, "oidc_provider_arn": _provider(account)}
    if ids is not None:
        if not (found := re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", ids)):
            raise UsageError(
                f"--ids is {ids!r}",
                f"gh api repos/{repository} --jq '\"\\(.owner.id)/\\(.id)\"' says them.",
            )
        variables["repository_ids"] = {"owner": int(found[1]), "repository": int(found[2])}
    return variables


def _provider(account: Aws) -> str | None:
    """Return the ARN of the account's OIDC provider for GitHub, for Terraform to adopt it."""
    found = account.session.client("iam").list_open_id_connect_providers()
    arns = [each["Arn"] for each in found["OpenIDConnectProviderList"]]
    return next((each for each in arns if each.endswith(f":oidc-provider/{_ISSUER}")), None)


def _make_buckets(account: Aws) -> None:
    """Create the buckets that are missing: Terraform takes them over and does the rest."""
    where: dict[str, Any] = {}
    if account.region != "us-east-1":  # which S3 does not take for a location
        where["CreateBucketConfiguration"] = {"LocationConstraint": account.region}
    for bucket in (account.state_bucket, account.artifact_bucket):
        there = absent_if(
            "404",
            lambda: account.s3.head_bucket(
                Bucket=bucket, ExpectedBucketOwner=account.account_id
            ),
        )
        if there is None:
            account.s3.create_bucket(Bucket=bucket, **where)


def _wiring(account: Aws, repository: str) -> list[str]:
    """Return the commands that tell GitHub about the account."""
    return [
        f"gh variable set {name} --repo {repository} --body {value}"
        for name, value in (("AWS_ACCOUNT_ID", account.account_id), ("AWS_REGION", account.region))
    ]
