"""prune: delete published versions, and layer versions, that nothing needs any more.

Bundles stay in the store: a rollback to a release whose version is gone publishes it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import click
from botocore.exceptions import ClientError

from pipeline import aws, labels
from pipeline.cli import console
from pipeline.release import ledger, outcome
from pipeline.aws import error_code
from pipeline.cli.options import environment_option
from pipeline.config import Environment
from pipeline.cli.help import examples
from pipeline.release.ledger import Ledger
from pipeline.target import DeployedFunction, Target


@dataclass(frozen=True)
class _Pruning:
    """What would go: function versions and layer versions, each with its size in bytes."""

    versions: dict[str, int]
    layers: dict[int, int]


@click.command(
    "prune",
    epilog=examples(
        "prune --environment staging --dry-run", "prune --environment staging --keep 20"
    ),
)
@environment_option
@click.option(
    "--keep",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Number of successful releases with versions to keep.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@outcome.no_traffic_moved("prune moves none")
def command(environment: Environment, keep: int, dry_run: bool) -> None:
    """Delete unused Lambda versions and layers.

    Keeps what aliases use, and the versions of the last releases. Bundles stay in the store.
    """
    target = Target(aws.connect(), environment)
    if not dry_run:
        # What is at work may need any of it; what died has left live where it is now.
        ledger.close_what_died(target)
    found = _choose(target, keep)
    rows = [
        ["version", labels.version(number), f"{size:,}"] for number, size in found.versions.items()
    ]
    rows += [["layer version", str(number), f"{size:,}"] for number, size in found.layers.items()]
    if not rows:
        console.result("nothing to prune")
        return
    console.table("", ["what", "number", "bytes"], rows)
    if dry_run:
        console.result("dry run: nothing was deleted")
        return
    deleted = _delete(target, found)
    console.result(f"deleted {deleted} of {len(rows)}")


def _choose(target: Target, keep: int) -> _Pruning:
    """Choose what goes.

    What stays: what any alias points to or shares traffic with; the versions of the last `keep`
    releases that succeeded; whatever is newer than those, for somebody may be about to release it.
    Of layer versions: those that such a version uses, and the newest, which Terraform manages.
    """
    function = target.function
    needed = _aliased(target.function) | _released(target, keep)
    newest_needed = max((int(version) for version in needed if version.isdigit()), default=0)
    versions: dict[str, int] = {}
    layers_in_use: set[str] = set()
    for page in function.client.get_paginator("list_versions_by_function").paginate(
        FunctionName=function.name
    ):
        for version in page["Versions"]:
            number = version["Version"]
            if number == "$LATEST" or number in needed or int(number) > newest_needed:
                layers_in_use.update(layer["Arn"] for layer in version.get("Layers", []))
            else:
                versions[number] = version["CodeSize"]
    layers: dict[int, int] = {}
    pages = function.client.get_paginator("list_layer_versions").paginate(
        LayerName=target.environment.layer_name
    )
    listed = [layer_version for page in pages for layer_version in page["LayerVersions"]]
    newest = max((layer_version["Version"] for layer_version in listed), default=0)
    for layer in listed:
        if layer["LayerVersionArn"] not in layers_in_use and layer["Version"] != newest:
            size = function.client.get_layer_version(
                LayerName=target.environment.layer_name, VersionNumber=layer["Version"]
            )["Content"]["CodeSize"]
            layers[layer["Version"]] = size
    return _Pruning(versions, layers)


def _aliased(function: DeployedFunction) -> set[str]:
    """Return the versions that the function's aliases point to, canaries with them."""
    needed: set[str] = set()
    for page in function.client.get_paginator("list_aliases").paginate(FunctionName=function.name):
        for alias in page["Aliases"]:
            shares = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
            needed |= {alias["FunctionVersion"], *shares}
    return needed


def _released(target: Target, keep: int) -> set[str]:
    """Return the versions of the last `keep` releases that succeeded."""
    succeeded = (release for release in Ledger(target).releases() if release.outcome == "succeeded")
    return {release.version for release in islice(succeeded, keep) if release.version}


def _delete(target: Target, found: _Pruning) -> int:
    """Delete what was chosen, and return how much of it went.

    AWS itself refuses to delete what an alias points to meanwhile: that stays.
    """
    function = target.function
    kept = 0
    for version in found.versions:
        try:
            function.client.delete_function(FunctionName=function.name, Qualifier=version)
        except ClientError as error:
            if error_code(error) != "ResourceConflictException":
                raise
            console.say(f"{labels.version(version)} stays: an alias points to it now", "yellow")
            kept += 1
    for number in found.layers:
        function.client.delete_layer_version(
            LayerName=target.environment.layer_name, VersionNumber=number
        )
    return len(found.versions) + len(found.layers) - kept
