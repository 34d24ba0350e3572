"""Opening a pull request: ci.yml itself, run with the real parts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from scratch.project import Project
from tests.workflows.act_log import Run
from tests.workflows import events
from tests.workflows.runner import Runner

ENVIRONMENTS = ("staging", "production")
# What the pull request's branch is at; what is checked out is a merge of it.
HEAD = "5ca1ab1e" * 5

pytestmark = [pytest.mark.extended, pytest.mark.usefixtures("ready_account")]


@dataclass
class Seen:
    """A run, the comments on its pull request afterwards, and whether AWS was left alone."""

    run: Run
    comments: list[dict[str, Any]]
    aws_untouched: bool


def _run(
    runner: Runner,
    number: int,
    job: str | None = None,
    variables: bool = True,
    **event: str,
) -> Seen:
    """Run ci.yml for what lies in the clone, as pull request `number`."""
    runner.hub.pull_requests.setdefault(number, {"labels": [], "merge_commit_sha": None})
    runner.repository.commit("What the pull request brings")
    before = _aws(runner)
    opened = events.pull_request(number, HEAD, **event)
    run = runner.run("pull_request", "ci.yml", opened, job=job, variables=variables)
    comments = [dict(each) for each in runner.hub.comments.get(number, [])]
    return Seen(run, comments, _aws(runner) == before)


def _aws(runner: Runner) -> list[object]:
    """Return what a plan must leave as it is: objects in the buckets, functions, layers."""
    session = boto3.Session(
        aws_access_key_id="look", aws_secret_access_key="look", region_name="us-east-1"
    )
    url = runner.cloud["AWS_ENDPOINT_URL"]
    s3, functions = session.client("s3", endpoint_url=url), session.client(
        "lambda", endpoint_url=url
    )
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    objects = [s3.list_object_versions(Bucket=bucket).get("Versions", []) for bucket in buckets]
    return [objects, functions.list_functions()["Functions"], functions.list_layers()["Layers"]]


@pytest.fixture(scope="module")
def ordinary(runner: Runner) -> Seen:
    """A change of the handler, in a pull request from the repository itself."""
    runner.repository.start("ordinary")
    runner.repository.append("lambda_function.py", "\n\nCHANGED = True\n")
    return _run(runner, 1)


def test_an_ordinary_pull_request_passes(ordinary: Seen) -> None:
    assert ordinary.run.succeeded, ordinary.run.why()
    results = ordinary.run.results()
    assert results.pop("Say why there is no plan") == "skipped"
    assert set(results.values()) == {"success"}


def test_its_plans_are_a_comment_for_each_environment(ordinary: Seen) -> None:
    """What would be done, in words; sizes; what the inspection found."""
    assert len(ordinary.comments) == 2
    for environment in ENVIRONMENTS:
        [body] = [
            each["body"] for each in ordinary.comments if f"for {environment}" in each["body"]
        ]
        assert body.startswith(f"<!-- mongo-client plan: {environment} -->\n")
        assert "aws_lambda_function.function" in body and "to create" in body
        assert f"commit `{HEAD[:12]}`" in body
        assert "pymongo-layer.zip" in body and "no findings" in body
        assert len(body) < 65_536


def test_the_job_summary_says_the_same(ordinary: Seen) -> None:
    for comment in ordinary.comments:
        assert comment["body"].splitlines()[1] in ordinary.run.summary


def test_a_plan_changes_nothing(ordinary: Seen) -> None:
    """Its roles could not, on AWS; here it is seen that nothing tries."""
    assert ordinary.aws_untouched
    for environment in ENVIRONMENTS:
        [role] = ordinary.run.jobs[f"Plan {environment}"].roles
        assert role.endswith(f":role/mongo-client-{environment}-plan")


def test_no_value_leaves_the_plan(ordinary: Seen, runner: Runner) -> None:
    """Neither in what everybody can read, nor in what the run keeps."""
    [secret] = json.loads(runner.cloud["TF_VAR_api_keys"])
    kept = [path for path in runner.hub.state.glob("artifacts/*/plan-*/*") if path.is_file()]
    assert {path.name for path in kept} == {"plan.json", "plan.md"}
    shown = [ordinary.run.summary, *(path.read_text() for path in kept)]
    shown += [step.log for job in ordinary.run.jobs.values() for step in job.steps.values()]
    shown += [comment["body"] for comment in ordinary.comments]
    assert not any(secret in text for text in shown)


def test_a_syntax_error_stops_at_its_line(runner: Runner) -> None:
    """Lint marks it, and so does the compiler of the deployed Python; nothing is planned.

    The comment that an earlier commit got says so, and no other one is written.
    """
    marker = "<!-- mongo-client plan: staging -->"
    bot = {"login": "github-actions[bot]"}
    runner.hub.comments[2] = [{"id": 499, "user": bot, "body": f"{marker}\nAll well."}]
    runner.repository.start("syntax-error")
    handler = runner.repository.clone / "lambda_function.py"
    line = len(handler.read_text().splitlines()) + 2
    runner.repository.append("lambda_function.py", "\ndef broken(:\n")
    seen = _run(runner, 2)
    assert ("Lint and test", "Lint, then test") in seen.run.failed()
    step = "Compile the handler, and build the bundle"
    assert ("Build and inspect on ubuntu-24.04", step) in seen.run.failed()
    places = [(each.get("file"), each.get("line")) for each in seen.run.annotations]
    assert places.count(("lambda_function.py", str(line))) >= 2
    assert seen.run.jobs["Plan staging"].result == "skipped"
    [comment] = seen.comments
    assert comment["body"].startswith(f"{marker}\n### Plan for staging: there is none\n")
    assert f"`{HEAD[:12]}`" in comment["body"] and "All well" not in comment["body"]
    assert seen.run.jobs["ci"].result == "failure"


def test_an_extra_file_in_the_package_stops_at_the_inspection(runner: Runner) -> None:
    runner.repository.start("extra-file")
    runner.repository.replace(
        "pipeline/build.py",
        "archive.write_zip({HANDLER_FILE.name: source})",
        'archive.write_zip({HANDLER_FILE.name: source, "notes.txt": b"oops"})',
    )
    seen = _run(runner, 3, job="same-bytes")
    assert ("Build and inspect on ubuntu-24.04", "Inspect") in seen.run.failed()
    assert any("notes.txt" in each["message"] for each in seen.run.annotations)
    assert seen.run.jobs["Same bytes on both images"].result == "skipped"


def test_a_failing_test_stops_at_its_line(runner: Runner) -> None:
    runner.repository.start("failing-test")
    # That it is linted first is seen above.
    runner.repository.replace("Makefile", "test: lint $(CLIENT_READY)", "test: $(CLIENT_READY)")
    runner.repository.replace(
        "tests/handler/test_health.py", "reply.status == 200", "reply.status == 418"
    )
    seen = _run(runner, 4, job="check")
    assert seen.run.failed() == [("Lint and test", "Lint, then test")]
    [found] = [each for each in seen.run.annotations if each.get("file")]
    assert found["file"] == "tests/handler/test_health.py" and "418" in found["message"]


def test_images_that_build_different_bytes_stop_before_the_plan(runner: Runner) -> None:
    """Here the folder of the job gets into the package, as a careless tool might have it."""
    runner.repository.start("different-bytes")
    runner.repository.replace(
        "pipeline/build.py",
        "    source = _source()\n",
        "    source = _source() + f'# {Path.cwd()}'.encode()\n",
    )
    seen = _run(runner, 5, job="plan")
    assert seen.run.failed() == [("Same bytes on both images", "Compare")]
    assert any("different bundles" in each["message"] for each in seen.run.annotations)
    assert seen.run.jobs["Plan staging"].result == "skipped"


def test_a_plan_that_says_nothing_is_told_in_a_comment(runner: Runner) -> None:
    """Such as one that Terraform broke off: the job that writes has no file to write."""
    step = ("ci.yml", "comment", "Write the comment, or the one that is there anew")
    values = {"ENVIRONMENT": "staging", "NUMBER": "10", "HEAD": HEAD, "RUN": "https://run"}
    values["SERVICE"] = "mongo-client"
    assert runner.script(*step, PLANNED="failure", **values).returncode == 0
    [comment] = runner.hub.comments[10]
    assert comment["body"].startswith("<!-- mongo-client plan: staging -->\n### Plan for staging: ")
    assert "there is none" in comment["body"] and "(https://run)" in comment["body"]


def test_a_fork_gets_all_that_needs_no_role(runner: Runner) -> None:
    """It is linted, tested, built, compared and inspected; and is told what was left out."""
    runner.repository.start("fork")
    # What they do is not the point here, that they run is.
    runner.repository.write("Makefile", "test:\n\t@echo make $@\n")
    seen = _run(runner, 6, repository="stranger/mongo-client")
    assert seen.run.succeeded, seen.run.why()
    assert seen.run.jobs["Plan staging"].result == "skipped"
    assert not any(job.roles for job in seen.run.jobs.values())
    assert seen.comments == []
    [notice] = [each for each in seen.run.annotations if each["level"] == "notice"]
    assert "gh pr checkout 6" in notice["message"] and "gh pr checkout 6" in seen.run.summary


def test_dependabot_is_told_the_same(runner: Runner) -> None:
    """GitHub keeps the variables from it as well: they do not tell what is missing."""
    runner.repository.start("dependabot")
    seen = _run(runner, 8, job="no-plan", author="dependabot[bot]")
    [notice] = [each["message"] for each in seen.run.annotations]
    assert "gh pr checkout 8" in notice and "variables" not in notice


def test_without_variables_the_plan_is_left_out_and_said_to_be(runner: Runner) -> None:
    runner.repository.start("no-account")
    seen = _run(runner, 9, job="no-plan", variables=False)
    [notice] = [each["message"] for each in seen.run.annotations]
    assert "AWS_ACCOUNT_ID, AWS_REGION and SERVICE are not set" in notice


@dataclass
class Destruction:
    """A plan that replaces the function: refused, and with a label allowed."""

    refused: Seen
    allowed: Seen


@pytest.fixture(scope="module")
def destruction(runner: Runner, built_bundle: Path) -> Destruction:
    project = Project(runner.repository.clone, dict(runner.cloud))
    project.must("deploy", "--environment", "staging", "--bundle", str(built_bundle))
    runner.repository.start("destruction")
    runner.repository.replace(
        "terraform/function.tf", "function_name = local.name", 'function_name = "renamed"'
    )
    refused = _run(runner, 7, job="comment")
    guarded = (
        *("aws_lambda_function.function", "aws_lambda_alias.live"),
        "aws_lambda_permission.api",
    )
    names = ["bug", *(f"allow-destroy:{address}" for address in guarded)]
    runner.hub.pull_requests[7]["labels"] = [{"name": name} for name in names]
    return Destruction(refused, _run(runner, 7, job="comment"))


def test_a_plan_that_destroys_the_function_stops_at_the_plan(destruction: Destruction) -> None:
    """The pull request says so, and how to allow it. Where nothing is destroyed, all is well."""
    refused = destruction.refused
    assert refused.run.failed() == [("Plan staging", "Plan")]
    assert any("aws_lambda_function" in each["message"] for each in refused.run.annotations)
    [staging] = [each["body"] for each in refused.comments if "for staging" in each["body"]]
    assert "allow-destroy:aws_lambda_function.function" in staging
    assert refused.run.jobs["Plan production"].result == "success"


def test_labels_that_name_it_allow_it(destruction: Destruction) -> None:
    assert destruction.allowed.run.succeeded, destruction.allowed.run.why()


def test_a_comment_is_updated_in_place(destruction: Destruction) -> None:
    """Two runs of one pull request: two comments, not four."""
    first = [each["id"] for each in destruction.refused.comments]
    assert [each["id"] for each in destruction.allowed.comments] == first and len(first) == 2
