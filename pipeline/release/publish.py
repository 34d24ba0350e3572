"""Publishing: apply a plan, which moves no traffic, and find the version that it published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import aws
from pipeline.bundle import store
from pipeline.terraform import runner
from pipeline.traffic import api_url, configuration, invoke
from pipeline.aws import Aws
from pipeline.bundle.manifest import Manifest
from pipeline.config import LIVE, Environment
from pipeline.release.context import ReleaseContext
from pipeline.terraform.plan import code_was_changed, read_plan
from pipeline.signals import deferred_signals
from pipeline.terraform.runner import SavedPlan, Terraform

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient


@dataclass(frozen=True)
class Published:
    """What an apply gave: the version that was published last, and where the API is called."""

    version: str
    urls: tuple[str, ...]


def apply(
    account: Aws, environment: Environment, tf: Terraform, plan: SavedPlan, manifest: Manifest
) -> Published:
    """Apply a plan, and return the version that has the bundle's code and the plan's settings.

    Code that somebody changed before the plan is put right: Terraform, which compares it with its
    own state only, would let it be. SIGINT and SIGTERM count when that is done: it moves no
    traffic, and a provider that is stopped between changing the function and publishing it leaves a
    change that no version has. So does one that is killed, or fails, there: then the version is
    published here, and Terraform's state is updated. Raises CheckFailedError if the version has not
    the bundle's code and layer: somebody else changed them meanwhile.
    """
    functions, name = account.functions, environment.function_name
    with deferred_signals():
        published = _applied(functions, name, tf, plan)
        if code_was_changed(plan.document):
            _put_code_right(account, name, manifest)
        if _is_behind(functions, name, published.version):
            functions.publish_version(FunctionName=name, CodeSha256=manifest.function.sha256_base64)
            again = tf.plan(account, runner.bundle_variables(account, manifest))
            read_plan(again.document).refuse_destruction(())
            published = _applied(functions, name, tf, again)
    invoke.require_code(functions, name, published.version, manifest)
    return published


def _applied(functions: LambdaClient, name: str, tf: Terraform, plan: SavedPlan) -> Published:
    outputs = plan.outputs
    if not plan.is_empty:
        aws.wait_until_updated(functions, name)
        outputs = tf.apply(plan)
    version = str(outputs["function_version"])
    aws.wait_until_updated(functions, name)
    aws.wait_until_active(functions, name, version)
    return Published(version, tuple(api_url.urls(outputs)))


def _put_code_right(account: Aws, name: str, manifest: Manifest) -> None:
    """Give the function the bundle's code, unless it has that, or somebody is changing it."""
    functions, wanted = account.functions, manifest.function
    latest = functions.get_function_configuration(FunctionName=name)
    if latest["CodeSha256"] == wanted.sha256_base64:
        return
    functions.update_function_code(
        FunctionName=name,
        S3Bucket=account.artifact_bucket,
        S3Key=store.package_key(wanted),
        RevisionId=latest["RevisionId"],
    )
    aws.wait_until_updated(functions, name)


def _is_behind(functions: LambdaClient, name: str, version: str) -> bool:
    """Say whether the function has changed since a version of it was published."""
    latest = functions.get_function_configuration(FunctionName=name)
    published = functions.get_function_configuration(FunctionName=name, Qualifier=version)
    return configuration.shared(latest) != configuration.shared(published)


def call_api(account: Aws, context: ReleaseContext, published: Published) -> None:
    """Call the API at each of its URLs, as callers do; raise CheckFailedError if it fails."""
    assert context.planned
    functions, name = account.functions, context.environment.function_name
    changed = context.planned.touches(*api_url.RESOURCE_TYPES)
    for url in published.urls:
        with context.timeline.phase("call", f"{url}, as callers do"):
            context.health_of_api = api_url.require_answer(
                url,
                lambda: invoke.get_health(functions, name, LIVE),
                api_url.patience_s(changed=changed),
            )
