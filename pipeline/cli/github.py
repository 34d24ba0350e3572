"""github: the commands that the workflows' jobs run, one for each decision or output."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from pipeline import aws, github
from pipeline.cli import console
from pipeline.bundle import store
from pipeline.cli.help import examples
from pipeline.cli.options import environment_option
from pipeline.config import DEPLOYED_FROM_GITHUB, JOB_S, PIPELINE, Environment
from pipeline.errors import UsageError
from pipeline.packaging import zipapp
from pipeline.release import allowed_destruction, approval, deployed_tree, reviewed_plan, turn
from pipeline.release.ledger import Ledger, Release
from pipeline.report import drift_issue, pull_request
from pipeline.target import Target

_MAIN = "refs/heads/main"

_folder_argument = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


@click.group(
    "github",
    epilog=examples(
        "github deployed-tree --environment staging --out drift/staging",
        "github drift-issue drift",
        "github comment plan --planned success",
        "github store-pipeline --environment production",
    ),
)
def command() -> None:
    """Run the steps of GitHub Actions jobs."""


@command.command("turn")
@environment_option
@click.option("--bundle", help="Full id of the bundle. Skip the merge if it is in quarantine.")
@click.option("--required", is_flag=True, help="Fail instead of skipping.")
def turn_command(environment: Environment, bundle: str | None, required: bool) -> None:
    """Decide whether a merge is deployed or skipped.

    It is skipped if a newer commit was deployed. With --required, which stands for a person's
    request, that is an error, and the deployment refuses a bundle in quarantine.
    """
    ref = os.environ["GITHUB_REF"]
    if ref != _MAIN:
        raise UsageError(
            f"deployments run from main, not from {ref}", "Start the workflow with --ref main."
        )
    target, commit = Target(aws.connect(), environment), os.environ["GITHUB_SHA"]
    if required:
        turn.require(target, commit)
        skipped = None
    else:
        skipped = turn.why_skip(target, commit, bundle)
    if skipped:
        console.notice(f"Skipped: {skipped}")
        github.add_to_summary(f"Skipped: {skipped}")
    github.set_output("turn", "false" if skipped else "true")


@command.command("deployed-tree")
@environment_option
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write notes for drift-issue into.",
)
def deployed_tree_command(environment: Environment, folder: Path) -> None:
    """Print the commit to plan drift with.

    This is the last deployed commit. There is none before the first deployment, and while a release
    is under way.
    """
    records = Ledger(Target(aws.connect(), environment))
    commit = ""
    if _is_under_way(records.newest()):
        console.notice(f"A release to {environment.name} is under way.")
        drift_issue.note(folder, "under way")
    else:
        commit = deployed_tree.newest_of(records.releases(), os.environ["GITHUB_SHA"]) or ""
        if not commit:
            console.notice(f"Nothing was deployed to {environment.name} yet.")
            drift_issue.note(folder, "never deployed")
    github.set_output("commit", commit)


def _is_under_way(newest: Release | None) -> bool:
    """Return whether a release is under way. One that is older than a job's limit has died."""
    if newest is None or newest.outcome != "under way":
        return False
    return (datetime.now(UTC) - datetime.fromisoformat(newest.began)).total_seconds() < JOB_S


@command.command("drift-issue")
@_folder_argument
def drift_issue_command(folder: Path) -> None:
    """Open, update or close the issue about drift.

    FOLDER has a folder for each environment, with the output of `plan --out`.
    """
    drift_issue.report({name: drift_issue.read(folder / name) for name in DEPLOYED_FROM_GITHUB})


@command.command("allowed-destruction")
@click.option(
    "--environment", "name", help="Read the merges since the last deployment to this environment."
)
def allowed_destruction_command(name: str | None) -> None:
    """Print the resources that labels allow to destroy.

    Reads the labels of the job's pull request, or those of merges with --environment.
    """
    if name is None:
        allowed = allowed_destruction.of_pull_request(github.pull_request_number())
    else:
        commit = os.environ["GITHUB_SHA"]
        releases = Ledger(Target(aws.connect(), Environment(name))).releases()
        since = deployed_tree.newest_of(releases, commit)
        allowed = allowed_destruction.of_merges(since, commit)
    console.result(" ".join(allowed) or "nothing")
    github.set_output("allowed", " ".join(allowed))


@command.command("reviewed-plan")
@environment_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write.",
)
def reviewed_plan_command(environment: Environment, out: Path) -> None:
    """Download the plan of the merged pull request."""
    content = reviewed_plan.find(environment, os.environ["GITHUB_SHA"])
    if content is None:
        console.notice(f"No pull request has a plan for {environment.name}.")
    else:
        out.write_bytes(content)


@command.command("approval")
@click.option("--bundle", required=True, help="Full id of the bundle.")
def approval_command(bundle: str) -> None:
    """Check that the environment has reviewers for an approval."""
    approval.require(bundle)


@command.command("comment")
@_folder_argument
@click.option(
    "--planned",
    type=click.Choice(["success", "failure", "cancelled", "skipped"]),
    required=True,
    help="Result of the job that plans.",
)
def comment_command(folder: Path, planned: str) -> None:
    """Write the plans into a comment of the pull request.

    FOLDER has a folder for each environment, with the output of `plan --out`.
    """
    files = {name: folder / name / "plan.md" for name in DEPLOYED_FROM_GITHUB}
    plans = {
        name: file.read_text("utf-8") if file.is_file() else None for name, file in files.items()
    }
    pull_request.write(github.pull_request_number(), plans, planned)


@command.command("store-pipeline")
@environment_option
def store_pipeline_command(environment: Environment) -> None:
    """Store this pipeline as one file, for rollbacks.

    rollback.yml runs the stored file of the environment with the Python of the runner's image.
    """
    target = Target(aws.connect(), environment)
    pyz = zipapp.make()
    digest = store.put_pipeline(target, pyz)
    console.result(
        f"rollbacks of {environment.name} use {PIPELINE} {digest[:12]}, {len(pyz):,} bytes"
    )
