"""Publishing: apply a plan, which moves no traffic, and find the version that it published."""

from __future__ import annotations

from dataclasses import dataclass
from pipeline.bundle import store
from pipeline.terraform import runner
from pipeline.traffic import api_url, configuration, invoke
from pipeline.bundle.manifest import Manifest
from pipeline.config import LIVE
from pipeline.release.context import ReleaseContext
from pipeline.terraform.plan import code_was_changed, read_plan
from pipeline.signals import deferred_signals
from pipeline.terraform.runner import SavedPlan, Terraform
from pipeline.target import DeployedFunction, Target


@dataclass(frozen=True)
class Published:
    """What an apply gave: the version that was published last, and where the API is called."""

    version: str
    urls: tuple[str, ...]


def apply(target: Target, tf: Terraform, plan: SavedPlan, manifest: Manifest) -> Published:
    """Apply a plan, and return the version that has the bundle's code and the plan's settings.

    Code that somebody changed before the plan is put right: Terraform, which compares it with its
    own state only, would let it be. SIGINT and SIGTERM count when that is done: it moves no
    traffic, and a provider that is stopped between changing the function and publishing it leaves a
    change that no version has. So does one that is killed, or fails, there: then the version is
    published here, and Terraform's state is updated. Raises CheckFailedError if the version has not
    the bundle's code and layer: somebody else changed them meanwhile.
    """
    function = target.function
    with deferred_signals():
        published = _applied(function, tf, plan)
        if code_was_changed(plan.document):
            _put_code_right(target, manifest)
        if _is_behind(function, published.version):
            function.client.publish_version(
                FunctionName=function.name, CodeSha256=manifest.function.sha256_base64
            )
            again = tf.plan(target.aws, runner.bundle_variables(target.aws, manifest))
            read_plan(again.document).refuse_destruction(())
            published = _applied(function, tf, again)
    invoke.require_code(function, published.version, manifest)
    return published


def _applied(function: DeployedFunction, tf: Terraform, plan: SavedPlan) -> Published:
    outputs = plan.outputs
    if not plan.is_empty:
        function.wait_until_updated()
        outputs = tf.apply(plan)
    version = str(outputs["function_version"])
    function.wait_until_updated()
    function.wait_until_active(version)
    return Published(version, tuple(api_url.urls(outputs)))


def _put_code_right(target: Target, manifest: Manifest) -> None:
    """Upload the bundle's code, unless the function has it, or is being changed."""
    function, wanted = target.function, manifest.function
    latest = function.client.get_function_configuration(FunctionName=function.name)
    if latest["CodeSha256"] == wanted.sha256_base64:
        return
    function.client.update_function_code(
        FunctionName=function.name,
        S3Bucket=target.aws.artifact_bucket,
        S3Key=store.package_key(wanted),
        RevisionId=latest["RevisionId"],
    )
    function.wait_until_updated()


def _is_behind(function: DeployedFunction, version: str) -> bool:
    """Return whether the function has changed since a version of it was published."""
    latest = function.client.get_function_configuration(FunctionName=function.name)
    published = function.client.get_function_configuration(
        FunctionName=function.name, Qualifier=version
    )
    return configuration.shared(latest) != configuration.shared(published)


def call_api(context: ReleaseContext, published: Published) -> None:
    """Call the API at each of its URLs, as callers do; raise CheckFailedError if it fails."""
    assert context.planned
    function = context.target.function
    changed = context.planned.touches(*api_url.RESOURCE_TYPES)
    context.urls = published.urls
    for url in published.urls:
        with context.timeline.phase("call", f"{url}, as callers do"):
            context.health_of_api = api_url.require_answer(
                url,
                lambda: invoke.get_health(function, LIVE),
                api_url.patience_s(changed=changed),
            )
