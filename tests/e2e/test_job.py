"""What release workflows get from the commands: plans, outputs, summaries, dry runs, approvals."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scratch.project import Project
from tests.support.job import Job, Step

pytestmark = pytest.mark.extended

ENVIRONMENT = ("--environment", "local")
NAME = "mongo-client-local"
FUNCTION = "aws_lambda_function.service"
BROKEN = '\n\ndef lambda_handler(event, context):\n    raise OSError("bad </details> @everyone")\n'
STATE = {
    "Bucket": "mongo-client-terraform-state-123456789012",
    "Key": "mongo-client/local.tfstate.tflock",
}
LOCK = {"ID": "3b5b", "Operation": "OperationTypeApply", "Who": "ada@desk", "Version": "1.11.4"}
LOCK |= {"Info": "", "Created": "2026-01-02T03:04:05Z", "Path": "a/path"}
# Values that occur nowhere else.
KEY_HASHES = ["5ec2e7" + "0" * 58, "5ec2e7" + "1" * 58]
MEMORIES = ["1337", "1447"]


@dataclass
class Seen:
    """The job's steps and bundles by name, and what the account held around some of the steps."""

    job: Job
    steps: dict[str, Step] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    held: list[dict[str, Any]] = field(default_factory=list)

    def __getitem__(self, name: str) -> Step:
        return self.steps[name]

    def run(self, name: str, *arguments: str, **more: Any) -> Step:
        """Run a command as the step with this name."""
        self.steps[name] = self.job.step(*arguments, **more)
        return self.steps[name]

    def plan(self, name: str, *arguments: str, **more: Any) -> Step:
        """Plan as the step with this name, and save the plan in a folder of the same name."""
        return self.run(name, "plan", *ENVIRONMENT, *arguments, save=name, **more)

    def deploy(self, name: str, *arguments: str) -> Step:
        """Deploy as the step with this name."""
        return self.run(name, "deploy", *ENVIRONMENT, *arguments)

    def look(self) -> None:
        """Keep all that a release changes: every object with its time, live, and the versions."""
        s3, functions = self.job.project.client("s3"), self.job.project.client("lambda")
        held: dict[str, Any] = {
            f"{bucket['Name']}/{item['Key']}": (item["ETag"], item["LastModified"])
            for bucket in s3.list_buckets()["Buckets"]
            for item in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])
        }
        if self.ids.get("second"):
            live = functions.get_alias(FunctionName=NAME, Name="live")
            held["live"] = (live["FunctionVersion"], live["RevisionId"])
            held["versions"] = functions.list_versions_by_function(FunctionName=NAME)["Versions"]
        self.held.append(held)


@pytest.fixture(scope="module")
def seen(
    quick_cloud: dict[str, str], built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Seen:
    """Release, fail, correct it, do nothing, and go back; with plans in between."""
    project = Project.copy_to(tmp_path_factory.mktemp("job") / "project", quick_cloud)
    shutil.copytree(built_bundle, project.folder / "build")  # its layer is not made again
    seen = Seen(Job(project))
    keys = json.loads(quick_cloud["TF_VAR_api_keys"])
    project.environment["TF_VAR_api_keys"] = json.dumps(keys | {KEY_HASHES[0]: "read"})
    seen.ids["first"] = seen.run("build", "build").outputs["bundle"]

    seen.look()
    (project.folder / "live").mkdir()
    seen.plan("nothing live", "--bundle", "live")
    seen.plan("first plan", "--compare-with", "absent.json", "--json", in_actions=False)
    seen.look()
    seen.deploy("first", "--reason", "the </details> first\n\n## `one` @everyone")
    seen.deploy("live", "--bundle", "live")

    good = project.handler.read_text()
    project.append_to_handler(BROKEN)
    project.must("build")
    seen.deploy("broken", "--reason", "a mistake")
    seen.plan("plan after broken", "--bundle", "live")
    # A person points live at the version that failed.
    project.client("lambda").update_alias(FunctionName=NAME, Name="live", FunctionVersion="2")

    project.handler.write_text(f"{good}\nCHANGED = True\n")
    seen.ids["second"] = project.must("build").strip()
    project.environment["TF_VAR_api_keys"] = json.dumps(keys | dict.fromkeys(KEY_HASHES, "read"))
    seen.look()
    _plan_the_second(seen, project)
    seen.look()
    approved = seen["changed"].outputs["sha256"]
    seen.deploy("another plan", "--expect-plan", "0" * 64)
    seen.deploy("second", "--expect-plan", approved, "--reason", "faster")
    seen.deploy("nothing")
    seen.deploy("nothing, another plan", "--expect-plan", approved)

    seen.look()
    seen.run("dry run", "rollback", *ENVIRONMENT, "--dry-run")
    seen.look()
    seen.plan("live plan", "--bundle", "live")
    seen.run("rollback", "rollback", *ENVIRONMENT, "--reason", "too fast")
    seen.run("releases", "releases", *ENVIRONMENT, "--json")
    seen.run("dry run to nowhere", "rollback", *ENVIRONMENT, "--to", "77", "--dry-run")
    return seen


def _plan_the_second(seen: Seen, project: Project) -> None:
    """Plan the second release while the state is locked, and then one that is refused."""
    s3, source = project.client("s3"), project.folder / "terraform/function.tf"
    s3.put_object(**STATE, Body=json.dumps(LOCK).encode())
    project.environment["TF_VAR_memory_mb"] = MEMORIES[1]
    terraform = source.read_text()
    source.write_text(terraform.replace("function_name = local.name", 'function_name = "renamed"'))
    seen.plan("refused", "--compare-with", "first plan/plan.json")
    source.write_text(terraform)
    project.environment["TF_VAR_memory_mb"] = MEMORIES[0]
    seen.plan("changed", "--compare-with", "refused/plan.json")
    s3.delete_object(**STATE)


def test_a_plan_changes_nothing(seen: Seen) -> None:
    """Not one object is written, whether the environment is new or serves already."""
    before_first, after_first, before_second, after_second = seen.held[:4]
    assert before_first == after_first and before_second == after_second


def test_the_first_plan_creates_everything(seen: Seen) -> None:
    """Outside of a job it is saved all the same, and there are no outputs and no summary."""
    first = seen["first plan"]
    assert first.done.returncode == 0, first.done.stderr
    assert json.loads(first.done.stdout) == first.saved
    assert {change["action"] for change in first.saved["changes"]} == {"create"}
    assert first.saved["live"] is None and first.saved["environment"] == "local"
    assert [package["live_sha256"] for package in first.saved["packages"]] == [None, None]
    assert re.match(r"### Plan for local: \d+ to create, nothing destroyed\n", first.page)
    assert "Nothing is live in local yet." in first.page and "<details>" in first.page
    assert "no findings in `lambda_function.zip` (1 file)" in first.page
    assert (first.outputs, first.summary) == ({}, "")


def test_where_no_pull_request_has_a_plan_there_is_a_difference(seen: Seen) -> None:
    assert seen["first plan"].saved["differences"] == ["the pull request has no plan"]
    assert "the pull request has no plan" in seen["first plan"].page


def test_nothing_is_live_before_the_first_release(seen: Seen) -> None:
    """A folder with the name `live` is not what `--bundle live` means."""
    step = seen["nothing live"]
    assert step.done.returncode == 1 and "error[release-unusable]" in step.done.stderr
    assert "has no releases" in step.done.stderr
    assert (step.page, step.outputs) == ("", {})


def test_a_plan_with_what_is_live_is_empty(seen: Seen) -> None:
    live = seen["live plan"]
    assert live.done.returncode == 0, live.done.stderr
    assert live.done.stdout.strip() == "No changes."
    assert live.outputs["empty"] == live.outputs["nothing-to-do"] == "true"
    assert "differs" not in live.outputs
    assert "### Plan for local: no changes\n" in live.page
    assert "| Code | none |\n| Dependencies | none |\n| Settings | none |" in live.page
    assert live.saved["live"]["bundle"] == live.saved["bundle"] == seen.ids["second"]


def test_what_is_live_can_be_planned_and_not_deployed(seen: Seen) -> None:
    """To deploy, `live` is a folder like any other; this one holds no bundle."""
    done = seen["live"].done
    assert done.returncode == 1 and "error[bundle-unusable]" in done.stderr


def test_a_change_is_described_in_words_while_somebody_holds_the_lock(seen: Seen) -> None:
    changed = seen["changed"]
    assert changed.done.returncode == 0, changed.done.stderr
    assert changed.page.startswith("### Plan for local: 1 to ")
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
    first, changed = seen["first plan"].saved["packages"], seen["changed"].saved["packages"]
    for now, live in zip(changed, first, strict=True):
        assert (now["live_size_bytes"], now["live_sha256"]) == (live["size_bytes"], live["sha256"])
    more = changed[0]["size_bytes"] - first[0]["size_bytes"]
    page = seen["changed"].page
    assert f"{changed[0]['size_bytes']:,} bytes zipped, {more:+,} (" in page
    assert "| Dependencies | none |" in page and "| Release | From `#1`, bundle `" in page


def test_a_refused_plan_is_saved_with_its_differences(seen: Seen) -> None:
    """Against the plan of the pull request: another action. Another bundle alone is none."""
    refused = seen["refused"]
    assert refused.done.returncode == 1 and "error[plan-refused]" in refused.done.stderr
    assert f"`allow-destroy:{FUNCTION}`" in refused.page
    assert refused.summary.strip() == refused.page.strip()
    assert FUNCTION in refused.saved["destroys"] and refused.outputs["empty"] == "false"
    assert not any(line.startswith("bundle ") for line in refused.saved["differences"])
    difference = f"{FUNCTION}: replaced; the reviewed plan has: created"
    assert refused.outputs["differs"] == "true" and difference in refused.saved["differences"]
    assert difference in refused.page and difference in refused.done.stdout


def test_another_plan_than_the_pull_requests_is_no_error(seen: Seen) -> None:
    """A person decides."""
    changed = seen["changed"]
    assert changed.done.returncode == 0 and changed.outputs["differs"] == "true"
    difference = f"{FUNCTION}: updated; the reviewed plan has: replaced"
    assert difference in changed.page and difference in changed.done.stdout


def test_no_value_is_printed_saved_or_summarised(seen: Seen) -> None:
    """What the state held before is a value, too."""
    for name, step in seen.steps.items():
        for value in (*KEY_HASHES, *MEMORIES):
            # The digits of a size of memory may well be part of a digest.
            assert not re.search(rf"(?<![0-9a-f]){value}(?![0-9a-f])", step.everything()), name


def test_each_step_gives_the_next_ones_its_outputs(seen: Seen) -> None:
    assert seen["build"].outputs == {"bundle": seen["build"].done.stdout.strip()}
    assert seen["first"].outputs == {"released": "true", "release": "1"}
    assert seen["broken"].outputs == {}
    assert seen["second"].outputs == {"released": "true", "release": "3"}
    assert seen["nothing"].outputs == {"released": "false"}
    assert seen["dry run"].outputs == {"restores": "1"}
    restored = {"release": "4", "restores": "1", "traffic": "restored"}
    assert seen["rollback"].outputs == restored


def test_each_summary_says_first_what_serves(seen: Seen) -> None:
    first, second = seen.ids["first"][:12], seen.ids["second"][:12]
    assert seen["first"].headline == f"## local: release `#1` serves bundle {first}"
    assert seen["broken"].headline == "## local: deployment failed, live stays at v1"
    assert seen["second"].headline == f"## local: release `#3` serves bundle {second}"
    nothing = f"## local: nothing to do, it serves bundle {second} already"
    assert seen["nothing"].headline == nothing
    assert seen["dry run"].headline == "## local: what a rollback would do"
    assert seen["rollback"].headline == "## local: rolled back to release `#1`"


def test_the_first_release_has_nothing_before_it(seen: Seen) -> None:
    """No health, no packages to compare with, nothing to go back to; the reason is inert."""
    summary = seen["first"].summary
    assert "reason: ``the </details> first ## `one` @everyone``\n" in summary
    assert "- before the switch: `nothing served`\n" in summary
    assert re.search(r"- after the switch: `200 in \d+ ms`\n", summary)
    assert "There is no release to go back to." in summary
    assert f"+ {FUNCTION}\n" in summary


def test_a_summary_says_what_changed_how_long_it_took_and_the_way_back(seen: Seen) -> None:
    summary = seen["second"].summary
    assert summary.splitlines()[2].startswith("By `ada`, ")
    names = "environment.variables.API_KEYS, memory_size, new code"
    assert f"  ~ {FUNCTION}: {names}\n" in summary
    assert re.search(r"- `lambda_function.zip: [\d,]+ → [\d,]+ bytes`\n", summary)
    assert re.search(r"- `pymongo-layer.zip: unchanged, [\d,]+ bytes`\n", summary)
    phases = re.findall(r"^    section (.+)$", summary, re.MULTILINE)
    assert phases == ["inspect", "store", "plan", "apply", "smoke", "10", "100", "switch", "call"]
    assert f"`release #1, bundle {seen.ids['first'][:12]}`" in summary
    # rollback.yml is for the environments that GitHub deploys to.
    assert "gh workflow run" not in summary
    assert "python -m pipeline rollback --environment local --reason" in summary


def test_a_live_that_is_broken_does_not_block_its_repair(seen: Seen) -> None:
    assert seen["second"].done.returncode == 0, seen["second"].done.stderr
    assert "- before the switch: `an error (OSError) in " in seen["second"].summary
    assert re.search(r"- after the switch: `200 in \d+ ms`\n", seen["second"].summary)


def test_the_summary_of_a_failed_deployment_says_why_and_how_live_is(seen: Seen) -> None:
    step = seen["broken"]
    assert step.done.returncode == 1 and "error[check-failed]" in step.done.stderr
    assert "In the phase `smoke`:\n\n```\n" in step.summary and "OSError" in step.summary
    assert re.search(r"- now: `200 in \d+ ms`\n", step.summary)
    assert "\nLive stays at v1.\n" in step.summary
    # What the function wrote into its error is in the block of code, and nowhere else.
    block = re.search(r"phase `smoke`:\n\n```\n(.*?)^```$", step.summary, re.MULTILINE | re.DOTALL)
    assert block and step.summary.count("@everyone") == block[1].count("@everyone") > 0


@pytest.mark.parametrize("name", ["another plan", "nothing, another plan"])
def test_a_plan_that_nobody_approved_is_not_applied(seen: Seen, name: str) -> None:
    """Not even if there is nothing to do; the ledger has nothing of it."""
    step = seen[name]
    assert step.done.returncode == 1 and "error[plan-changed]" in step.done.stderr
    assert "nothing was applied" in step.done.stderr
    assert "re-run all jobs of the workflow" in step.done.stderr
    assert step.outputs == {} and "### What failed" in step.summary
    assert [seen[each].outputs["release"] for each in ("second", "rollback")] == ["3", "4"]


def test_the_plan_that_a_deployment_makes_is_the_one_that_was_approved(seen: Seen) -> None:
    """Its digest is the same, though it was planned at another time, by another command."""
    digests = re.findall(r"its sha256 is (\w{64})", seen["another plan"].summary)
    assert digests == [seen["changed"].outputs["sha256"]]
    assert seen["second"].done.returncode == 0, seen["second"].done.stderr


def test_what_a_failed_deployment_left_is_attributed_to_it(seen: Seen) -> None:
    """It was applied, and live went back: nobody changed anything by hand."""
    step = seen["plan after broken"]
    assert step.done.returncode == 0, step.done.stderr
    assert "by `ada`, failed: what it may have done half-way is part of this plan" in step.summary
    assert f"- `{FUNCTION}`: the function's code" in step.summary


def test_what_was_rolled_back_is_in_quarantine(seen: Seen) -> None:
    """The list of releases has who, when and why; what serves is in none, and has all calls."""
    releases = {each["bundle"]: each for each in json.loads(seen["releases"].done.stdout)[::-1]}
    reason = releases[seen.ids["second"]]["quarantined"]
    assert f"bundle {seen.ids['second'][:12]} was rolled back in local by ada at " in reason
    assert reason.endswith(": too fast")
    first = releases[seen.ids["first"]]
    assert (first["quarantined"], first["live_percent"]) == (None, 100)


def test_a_dry_run_changes_nothing(seen: Seen) -> None:
    """No object, no lease, no lock, no version, not the alias; Terraform still agrees."""
    assert seen["dry run"].done.returncode == 0, seen["dry run"].done.stderr
    before, after = seen.held[4:]
    assert before == after and before["live"][0] == "3"
    assert seen["live plan"].done.stdout.strip() == "No changes."


def test_a_dry_run_says_what_the_rollback_then_does(seen: Seen) -> None:
    """In the log and on the page: both releases, and what Terraform and the quarantine would do."""
    step = seen["dry run"]
    first, second = seen.ids["first"][:12], seen.ids["second"][:12]
    for text in (step.done.stdout, step.summary):
        assert re.search(rf"release #3, bundle {second}, .*by ada at .*: faster", text)
        assert re.search(rf"release #1, bundle {first}, .*by ada at .*: the </details> first", text)
        assert re.search(r"lambda_function.zip: [\d,]+ → [\d,]+ bytes", text)
        assert f"  ~ {FUNCTION}: new code\n" in text
        assert f"bundle {second} would go into quarantine" in text
    # Before it plans, for a rollback does not wait for Terraform either.
    assert step.done.stdout.index("would go into quarantine") < step.done.stdout.index("terraform")
    assert "python -m pipeline rollback --environment local --to 1 --reason" in step.summary
    rollback = seen["rollback"]
    assert rollback.done.returncode == 0, rollback.done.stderr
    assert f"bundle {second} is in quarantine" in rollback.summary
    assert re.search(r"- before the switch: `200 in \d+ ms`\n- after", rollback.summary)
    assert "There is no release to go back to." in rollback.summary


def test_a_dry_run_of_what_cannot_be_done_fails_as_it_would(seen: Seen) -> None:
    step = seen["dry run to nowhere"]
    assert step.done.returncode == 1 and "error[release-unusable]" in step.done.stderr
    assert step.outputs == {}
    assert step.headline == "## local: dry run of a rollback failed, live stays at v1"
