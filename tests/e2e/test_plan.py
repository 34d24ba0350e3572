"""What pull requests, merges and the search for drift get from plan, which changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from scratch.project import Project, Result

pytestmark = pytest.mark.extended

ENVIRONMENT = ("--environment", "local")
FUNCTION = "aws_lambda_function.function"
STATE = {
    "Bucket": "mongo-client-terraform-state-123456789012",
    "Key": "mongo-client/local.tfstate.tflock",
}
LOCK = {"ID": "3b5b", "Operation": "OperationTypeApply", "Who": "ada@desk", "Version": "1.11.4"}
LOCK |= {"Info": "", "Created": "2026-01-02T03:04:05Z", "Path": "a/path"}
ACTIONS = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "owner/repository",
    "GITHUB_RUN_ID": "77",
}
# Values that occur nowhere else.
KEY_HASHES = ["5ec2e7" + "0" * 58, "5ec2e7" + "1" * 58]
MEMORIES = ["1337", "1447"]


@dataclass(frozen=True)
class Step:
    """What one step of a job left: what it printed, its outputs, its summary, what it saved."""

    done: Result
    outputs: dict[str, str]
    summary: str
    page: str
    saved: dict[str, Any]

    def everything(self) -> str:
        saved = json.dumps(self.saved)
        return "\n".join([self.done.stdout, self.done.stderr, self.summary, self.page, saved])


@dataclass
class Seen:
    """The steps by name, a deployment of `live`, and AWS's objects around the plans."""

    steps: dict[str, Step] = field(default_factory=dict)
    deployed_live: Result | None = None
    objects: list[Mapping[Any, Any]] = field(default_factory=list)

    def __getitem__(self, name: str) -> Step:
        return self.steps[name]


def _objects(s3: Any) -> dict[Any, Any]:
    """Return every object of the account, with its digest and time."""
    return {
        (bucket["Name"], item["Key"]): (item["ETag"], item["LastModified"])
        for bucket in s3.list_buckets()["Buckets"]
        for item in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])
    }


def _plan(project: Project, name: str, *arguments: str, in_actions: bool = True) -> Step:
    """Plan as a step of a job, and save what it says in a folder with this name."""
    folder = project.folder
    files = [folder / f"{name}.output", folder / f"{name}.summary"]
    for file in files:
        file.touch()
    names = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
    job = ACTIONS | dict(zip(names, map(str, files), strict=True)) if in_actions else {}
    runner = Project(folder, project.environment | job)
    done = runner.run("plan", *ENVIRONMENT, "--save", name, *arguments)
    output, summary = (file.read_text() for file in files)
    outputs = re.findall(r"^([\w-]+)<<(\w+)\n(.*?)\n\2$", output, re.MULTILINE | re.DOTALL)
    saved, page = folder / name / "plan.json", folder / name / "plan.md"
    return Step(
        done,
        {each: value for each, _, value in outputs},
        summary,
        page.read_text() if page.exists() else "",
        json.loads(saved.read_text()) if saved.exists() else {},
    )


@pytest.fixture(scope="module")
def seen(quick_cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Plan before the first release and after it, a change in several ways, and a destruction."""
    seen = Seen()
    project = Project.copy_to(tmp_path_factory.mktemp("plan") / "project", quick_cloud)
    s3: Any = boto3.client(
        "s3",
        endpoint_url=quick_cloud["AWS_ENDPOINT_URL"],
        region_name=quick_cloud["AWS_REGION"],
        aws_access_key_id="person",
        aws_secret_access_key="person",
    )

    def plan(name: str, *arguments: str, **more: Any) -> None:
        seen.steps[name] = _plan(project, name, *arguments, **more)

    keys = json.loads(quick_cloud["TF_VAR_api_keys"])
    project.environment["TF_VAR_api_keys"] = json.dumps(keys | {KEY_HASHES[0]: "read"})
    project.must("build")
    seen.objects.append(_objects(s3))
    (project.folder / "live").mkdir()
    plan("nothing live", "--bundle", "live")
    plan("first", "--shown", "absent.json", "--json", in_actions=False)
    seen.objects.append(_objects(s3))
    project.must("deploy", *ENVIRONMENT)
    seen.deployed_live = project.run("deploy", *ENVIRONMENT, "--bundle", "live")

    seen.objects.append(_objects(s3))
    plan("live", "--bundle", "live")
    project.append_to_handler("\nCHANGED = True\n")
    project.must("build")
    project.environment["TF_VAR_api_keys"] = json.dumps(keys | dict.fromkeys(KEY_HASHES, "read"))
    project.environment["TF_VAR_memory_mb"] = MEMORIES[0]
    s3.put_object(**STATE, Body=json.dumps(LOCK).encode())
    try:
        plan("changed", "--shown", "first/plan.json")
        plan("same", "--shown", "changed/plan.json")
    finally:
        s3.delete_object(**STATE)
    project.environment["TF_VAR_memory_mb"] = MEMORIES[1]
    source = project.folder / "terraform/function.tf"
    renamed = source.read_text().replace("function_name = local.name", 'function_name = "renamed"')
    source.write_text(renamed)
    plan("refused", "--shown", "changed/plan.json")
    seen.objects.append(_objects(s3))
    return seen


def test_a_plan_changes_nothing(seen: Seen) -> None:
    """Not one object is written, whether the environment is new or serves already."""
    before_first, after_first, before, after = seen.objects
    assert before_first == after_first and before == after


def test_the_first_plan_creates_everything(seen: Seen) -> None:
    """Outside of a job it is saved all the same, and there are no outputs and no summary."""
    first = seen["first"]
    assert first.done.returncode == 0, first.done.stderr
    assert json.loads(first.done.stdout) == first.saved
    assert {change["action"] for change in first.saved["changes"]} == {"create"}
    assert first.saved["live"] is None and first.saved["environment"] == "local"
    assert [each["live_sha256"] for each in first.saved["packages"]] == [None, None]
    assert re.search(r"\n### Plan for local: \d+ to create, nothing destroyed\n", first.page)
    assert "Nothing is live in local yet." in first.page and "<details>" in first.page
    assert "no findings in `lambda_function.zip` (1 file)" in first.page
    assert (first.outputs, first.summary) == ({}, "")


def test_where_no_pull_request_showed_a_plan_there_is_a_difference(seen: Seen) -> None:
    assert seen["first"].saved["differences"] == ["no pull request showed a plan"]
    assert "no pull request showed a plan" in seen["first"].page


def test_nothing_is_live_before_the_first_release(seen: Seen) -> None:
    """And a folder that happens to be named `live` is not what is meant."""
    step = seen["nothing live"]
    assert step.done.returncode == 1 and "error[release-unusable]" in step.done.stderr
    assert "nothing was ever released" in step.done.stderr
    assert (step.page, step.outputs) == ("", {})


def test_a_plan_with_what_is_live_is_empty(seen: Seen) -> None:
    live = seen["live"]
    assert live.done.returncode == 0, live.done.stderr
    assert live.done.stdout.strip() == "No changes."
    assert live.outputs["empty"] == live.outputs["nothing-to-do"] == "true"
    assert "differs" not in live.outputs
    assert "### Plan for local: no changes\n" in live.page
    assert [row.split(" | ")[2] for row in _rows(live.page)] == ["unchanged", "unchanged"]
    assert live.saved["live"]["bundle"] == live.saved["bundle"] == seen["first"].saved["bundle"]


def test_what_is_live_can_be_planned_and_not_deployed(seen: Seen) -> None:
    """To deploy, `live` is a folder like any other; this one holds no bundle."""
    done = seen.deployed_live
    assert done and done.returncode == 1 and "error[bundle-unusable]" in done.stderr


def test_a_change_is_told_in_words_and_a_held_lock_is_in_nobodys_way(seen: Seen) -> None:
    changed = seen["changed"]
    assert changed.done.returncode == 0, changed.done.stderr
    assert changed.page.startswith("<!-- mongo-client plan: local -->\n### Plan for local: 1 to ")
    words = "environment variable `API_KEYS`, memory, the function's code"
    assert f"- `{FUNCTION}`: {words}\n" in changed.page
    assert changed.outputs == {
        "sha256": changed.saved["sha256"],
        "empty": "false",
        "nothing-to-do": "false",
        "quarantined": "false",
        "differs": "true",
    }
    assert changed.summary.strip() == changed.page.strip()


def test_sizes_are_those_of_the_packages_and_of_what_is_live(seen: Seen) -> None:
    first, changed = seen["first"].saved["packages"], seen["changed"].saved["packages"]
    for now, live in zip(changed, first, strict=True):
        assert (now["live_size_bytes"], now["live_sha256"]) == (live["size_bytes"], live["sha256"])
    more = changed[0]["size_bytes"] - first[0]["size_bytes"]
    function, layer = _rows(seen["changed"].page)
    assert f"{changed[0]['size_bytes']:,} | {more:+,} (" in function and "unchanged" in layer
    assert "| against release 1, which is live" in seen["changed"].page


def test_the_same_plan_is_told_to_be_the_same(seen: Seen) -> None:
    same = seen["same"]
    assert same.outputs["differs"] == "false" and same.saved["differences"] == []
    for told in (same.page, same.done.stdout):
        assert "This is the same as the pull request showed.\n" in told


def test_another_plan_is_told_with_what_is_different(seen: Seen) -> None:
    """It is no error: a person decides."""
    first, changed = seen["first"], seen["changed"]
    assert changed.done.returncode == 0 and changed.outputs["differs"] == "true"
    now, shown = (step.saved["bundle"][:12] for step in (changed, first))
    assert changed.saved["differences"][0] == f"bundle {now}; shown was {shown}"
    told = f"{FUNCTION}: updated; shown was: created"
    assert told in changed.saved["differences"]
    assert told in changed.page and told in changed.done.stdout


def test_a_refused_plan_is_told_all_the_same(seen: Seen) -> None:
    """With what is different from what was shown, too."""
    refused = seen["refused"]
    assert refused.done.returncode == 1 and "error[plan-refused]" in refused.done.stderr
    assert f"`allow-destroy:{FUNCTION}`" in refused.page
    assert refused.summary.strip() == refused.page.strip()
    assert FUNCTION in refused.saved["destroys"] and refused.outputs["empty"] == "false"
    told = f"{FUNCTION}: replaced; shown was: updated"
    assert refused.outputs["differs"] == "true" and told in refused.saved["differences"]
    assert told in refused.page and told in refused.done.stdout


def test_no_value_is_ever_shown(seen: Seen) -> None:
    """Not in what is printed, saved or summarised; what the state held before is one too."""
    for name, step in seen.steps.items():
        for value in (*KEY_HASHES, *MEMORIES):
            # The digits of a size of memory may well be part of a digest.
            assert not re.search(rf"(?<![0-9a-f]){value}(?![0-9a-f])", step.everything()), name


def _rows(page: str) -> list[str]:
    """Return the rows of the table of packages."""
    return [line for line in page.splitlines() if re.match(r"\| `[\w.-]+\.zip` ", line)]
