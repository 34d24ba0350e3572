"""Changes outside of Terraform, and calls that API Gateway cannot pass on, are detected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.packaging.zip_writer import write_zip
from scratch.project import Project
from tests.support import http

pytestmark = pytest.mark.extended

ENVIRONMENT = ("--environment", "local")
FUNCTION = "mongo-client-local"
_FOREIGN = write_zip({"lambda_function.py": b"def lambda_handler(event, context): pass\n"})

_FAILS_FOR_CALLERS = """

_well = lambda_handler


def lambda_handler(event, context):
    if event["headers"].get("user-agent") != "pipeline":
        raise KeyError("only for callers")
    return _well(event, context)
"""


@pytest.fixture(scope="module")
def project(
    quick_cloud: dict[str, str], built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A released project whose release waits for its API no longer than needed here."""
    project = Project.copy_to(tmp_path_factory.mktemp("reality") / "project", quick_cloud)
    api = project.folder / "pipeline" / "traffic" / "api_url.py"
    api.write_text(api.read_text().replace("_AFTER_CHANGE_S = 60", "_AFTER_CHANGE_S = 1"))
    project.must("deploy", *ENVIRONMENT, "--bundle", str(built_bundle))
    return project


def _plan(project: Project) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads(
        project.must("plan", *ENVIRONMENT, "--bundle", "live", "--json")
    )
    return plan


def _live(project: Project) -> str:
    alias = project.client("lambda").get_alias(FunctionName=FUNCTION, Name="live")
    return str(alias["FunctionVersion"])


def test_a_release_is_one_version_whatever_lambda_returns(project: Project) -> None:
    """Fields that only a version has do not let it be published a second time."""
    versions = project.client("lambda").list_versions_by_function(FunctionName=FUNCTION)
    assert [version["Version"] for version in versions["Versions"]] == ["$LATEST", "1"]
    assert _plan(project)["empty"] is True


def test_code_that_was_changed_and_published_by_hand_is_found_and_undone(
    project: Project, built_bundle: Path
) -> None:
    """By deploying what serves: Terraform itself sees no change, and does nothing."""
    functions = project.client("lambda")
    good = functions.get_function_configuration(FunctionName=FUNCTION)["CodeSha256"]
    functions.update_function_code(FunctionName=FUNCTION, ZipFile=_FOREIGN, Publish=True)
    plan = _plan(project)
    assert plan["changes"] == [] and plan["empty"] is False
    assert any(line.startswith("code-changed: ") for line in plan["beyond_terraform"])

    project.must("deploy", *ENVIRONMENT, "--bundle", str(built_bundle))
    assert functions.get_function_configuration(FunctionName=FUNCTION)["CodeSha256"] == good
    live = functions.get_function_configuration(FunctionName=FUNCTION, Qualifier="live")
    assert live["CodeSha256"] == good
    assert _plan(project)["empty"] is True


def test_settings_with_foreign_code_below_them_are_released_with_the_bundles(
    project: Project, built_bundle: Path
) -> None:
    """Terraform publishes what code there is: of that version nothing is served."""
    functions = project.client("lambda")
    good = functions.get_function_configuration(FunctionName=FUNCTION)["CodeSha256"]
    functions.update_function_code(FunctionName=FUNCTION, ZipFile=_FOREIGN)
    project.environment["TF_VAR_timeout_s"] = "9"
    project.must("deploy", *ENVIRONMENT, "--bundle", str(built_bundle))
    live = functions.get_function_configuration(FunctionName=FUNCTION, Qualifier="live")
    assert (live["CodeSha256"], live["Timeout"]) == (good, 9)
    assert _plan(project)["empty"] is True


def test_live_that_was_moved_by_hand_is_found_and_undone(
    project: Project, built_bundle: Path
) -> None:
    functions, before = project.client("lambda"), _live(project)
    functions.update_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="1")
    plan = _plan(project)
    assert plan["changes"] == [] and plan["empty"] is False
    assert any("somebody moved live: v1 of #" in line for line in plan["beyond_terraform"])
    project.must("deploy", *ENVIRONMENT, "--bundle", str(built_bundle))
    assert _live(project) == before and _plan(project)["empty"] is True


@pytest.mark.parametrize(
    ("good", "bad", "answer", "cause"),
    [
        ('"ANY /api/{proxy+}"', '"ANY /app/{proxy+}"', 404, "no route"),
        ("execution_arn}/*/*", "execution_arn}/v2/*", 500, "no permission for the alias"),
        (
            "aws_lambda_alias.live.invoke_arn",
            "aws_lambda_function.service.invoke_arn",
            500,
            "the integration",
        ),
    ],
    ids=["route", "permission", "integration"],
)
def test_an_api_that_does_not_reach_live_fails_the_release(
    project: Project,
    built_bundle: Path,
    good: str,
    bad: str,
    answer: int,
    cause: str,
) -> None:
    """Each call of the version itself is answered with 200; its callers get nothing."""
    source, before = project.folder / "terraform" / "api.tf", _live(project)
    text = source.read_text()
    source.write_text(text.replace(good, bad, 1))
    options = ("--bundle", str(built_bundle), "--allow-destroy", "aws_lambda_permission.api")
    deploy = ("deploy", *ENVIRONMENT, *options)
    try:
        done = project.run(*deploy)
        assert done.returncode == 1 and "error[check-failed]" in done.stderr, done.stderr
        assert f"returned {answer} (expected 200): " in done.stderr and cause in done.stderr
        assert http.get(f"{project.environment['API_URL']}/api/health")[0] == answer
        assert _live(project) == before
        releases = json.loads(project.must("releases", *ENVIRONMENT, "--limit", "1", "--json"))
        assert releases[0]["outcome"] == "failed"
        assert "what the apply changed for all versions stays" in releases[0]["error"]
    finally:
        source.write_text(text)
    project.must(*deploy)
    assert http.get(f"{project.environment['API_URL']}/api/health")[0] == 200
    assert _plan(project)["empty"] is True


def test_a_canary_is_judged_by_what_comes_late_and_page_by_page(project: Project) -> None:
    """As CloudWatch Logs has it: seconds later, in no order, in short pages and empty ones."""
    steps = project.folder / "terraform/environments/local/rollout.toml"
    before, text = _live(project), steps.read_text()
    steps.write_text("percents = [10, 100]\nwatch_s = 60\nleast_calls = 10\nalarms = []\n")
    good, parameters = project.handler.read_text(), project.client("ssm")
    project.append_to_handler(_FAILS_FOR_CALLERS)
    project.must("build", "--out", "failing")
    conditions = {"log-delay": "2", "log-page": "50"}
    for name, value in conditions.items():
        parameters.put_parameter(Name=f"/localcloud/{name}", Value=value, Type="String")
    try:
        with http.calling(project.environment["API_URL"]):
            done = project.run("deploy", *ENVIRONMENT, "--bundle", "failing")
    finally:
        for name in conditions:
            parameters.delete_parameter(Name=f"/localcloud/{name}")
        project.handler.write_text(good)
        steps.write_text(text)
    assert done.returncode == 1 and "error[canary-failed]" in done.stderr, done.stderr
    assert "errors" in done.stderr, done.stderr
    assert _live(project) == before


def test_a_version_that_sleeps_is_woken_before_traffic_goes_back_to_it(project: Project) -> None:
    """Its first call is refused; a rollback says so, waits, and goes on."""
    before = _live(project)
    project.append_to_handler("\nNEWER = True\n")
    project.must("build", "--out", "newer")
    project.must("deploy", *ENVIRONMENT, "--bundle", "newer")
    project.client("ssm").put_parameter(
        Name="/localcloud/asleep", Value=f"{FUNCTION}:{before}", Type="String"
    )
    done = project.run("rollback", *ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert f"v{before} is Inactive: it is called once, and waited for" in done.stderr
    assert _live(project) == before
