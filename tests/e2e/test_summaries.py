"""What release workflows get from the verbs: outputs, summaries, dry runs, approved plans."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from scratch.project import Project, Result

pytestmark = pytest.mark.extended

ENVIRONMENT = ("--environment", "local")
FUNCTION = "mongo-client-local"
BROKEN = '\n\ndef lambda_handler(event, context):\n    raise OSError("bad </details> @everyone")\n'


@dataclass(frozen=True)
class Step:
    """One step of a job: what a verb printed, its outputs, and its summary."""

    done: Result
    outputs: dict[str, str]
    summary: str

    @property
    def headline(self) -> str:
        return self.summary.splitlines()[0]


@dataclass(frozen=True)
class Job:
    """A job of GitHub Actions, as far as the verbs see it."""

    project: Project

    def step(self, *arguments: str) -> Step:
        """Run a verb as a step of the job."""
        folder = self.project.folder
        files = {name: folder / f"{name}.md" for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for name, file in files.items():
            file.write_text("")
            self.project.environment[name] = str(file)
        done = self.project.run(*arguments)
        output, summary = (file.read_text() for file in files.values())
        found = re.findall(r"^(\w+)<<(\w+)\n(.*?)\n\2$", output, re.MULTILINE | re.DOTALL)
        return Step(done, {name: value for name, _, value in found}, summary)

    def change(self, source: str) -> Step:
        """Add to the handler and build it."""
        self.project.append_to_handler(source)
        return self.step("build")

    def client(self, service: str) -> Any:
        """A client as a person at the console would have."""
        settings = self.project.environment
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=settings["AWS_ENDPOINT_URL"],
            region_name=settings["AWS_REGION"],
            aws_access_key_id="person",
            aws_secret_access_key="person",
        )

    def live(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client("lambda").get_alias(FunctionName=FUNCTION, Name="live")
        return {name: found[name] for name in ("FunctionVersion", "RevisionId")}

    def everything(self) -> dict[str, Any]:
        """All that a release changes: every object with its time, live, and the versions."""
        s3, functions = self.client("s3"), self.client("lambda")
        objects = {
            (bucket["Name"], item["Key"]): (item["ETag"], item["LastModified"])
            for bucket in s3.list_buckets()["Buckets"]
            for item in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])
        }
        versions = functions.list_versions_by_function(FunctionName=FUNCTION)["Versions"]
        return {"objects": objects, "live": self.live(), "versions": versions}


@dataclass(frozen=True)
class Seen:
    """Every step of the job, by what it did."""

    job: Job
    steps: Mapping[str, Step]
    ids: Mapping[str, str]
    before_dry_run: Mapping[str, Any]
    after_dry_run: Mapping[str, Any]
    plan_after_dry_run: str

    def __getitem__(self, name: str) -> Step:
        return self.steps[name]


@pytest.fixture(scope="module")
def seen(quick_cloud: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Release, fail, mend it, do nothing, and go back."""
    actions = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "owner/repository",
        "GITHUB_RUN_ID": "77",
        "GITHUB_ACTOR": "ada",
    }
    folder = tmp_path_factory.mktemp("summaries") / "project"
    job = Job(Project.copy_to(folder, quick_cloud | actions))
    deploy = ("deploy", *ENVIRONMENT)
    steps, ids = {}, {}

    steps["build"] = job.step("build")
    ids["first"] = steps["build"].outputs["bundle"]
    steps["first"] = job.step(*deploy, "--reason", "the </details> first\n\n## `one` @everyone")

    good = job.project.handler.read_text()
    job.change(BROKEN)
    steps["broken"] = job.step(*deploy, "--reason", "a mistake")
    steps["plan after broken"] = job.step("plan", *ENVIRONMENT, "--bundle", "live")
    # A person points live at the version that failed.
    job.client("lambda").update_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="2")

    job.project.handler.write_text(good)
    ids["second"] = job.change("\nCHANGED = True\n").outputs["bundle"]
    steps["another plan"] = job.step(*deploy, "--expect-plan", "0" * 64)
    [approved] = re.findall(r"its sha256 is (\w{64})", steps["another plan"].summary)
    steps["second"] = job.step(*deploy, "--expect-plan", approved, "--reason", "faster")
    steps["nothing"] = job.step(*deploy)
    steps["nothing, another plan"] = job.step(*deploy, "--expect-plan", approved)

    before = job.everything()
    steps["dry run"] = job.step("rollback", *ENVIRONMENT, "--dry-run")
    after = job.everything()
    plan = job.project.must("plan", *ENVIRONMENT).strip()
    steps["rollback"] = job.step("rollback", *ENVIRONMENT, "--reason", "too fast")
    steps["quarantine"] = job.step("quarantine", *ENVIRONMENT, "build")
    steps["no quarantine"] = job.step("quarantine", *ENVIRONMENT, ids["first"])
    steps["dry run to nowhere"] = job.step("rollback", *ENVIRONMENT, "--to", "77", "--dry-run")
    return Seen(job, steps, ids, before, after, plan)


def test_each_step_tells_the_next_ones_what_it_did(seen: Seen) -> None:
    assert seen["build"].outputs == {"bundle": seen["build"].done.stdout.strip()}
    assert seen["first"].outputs == {"released": "true", "release": "1"}
    assert seen["broken"].outputs == {}
    assert seen["second"].outputs == {"released": "true", "release": "3"}
    assert seen["nothing"].outputs == {"released": "false"}
    assert seen["dry run"].outputs == {"release": "1", "bundle": seen.ids["first"]}
    assert seen["rollback"].outputs == {"release": "4"}


def test_each_summary_says_first_what_serves(seen: Seen) -> None:
    first, second = seen.ids["first"][:12], seen.ids["second"][:12]
    assert seen["first"].headline == f"## local: release 1 serves bundle {first}"
    assert seen["broken"].headline == "## local: deployment failed, live stays at version 1"
    assert seen["second"].headline == f"## local: release 3 serves bundle {second}"
    nothing = f"## local: nothing to do, it serves bundle {second} already"
    assert seen["nothing"].headline == nothing
    assert seen["dry run"].headline == "## local: what a rollback would do"
    assert seen["rollback"].headline == "## local: rolled back to release 1"


def test_the_first_release_has_nothing_before_it(seen: Seen) -> None:
    """No health, no packages to compare with, nothing to go back to; the reason is inert."""
    summary = seen["first"].summary
    assert "reason: ``the </details> first ## `one` @everyone``\n" in summary
    assert "- before the switch: `nothing served`\n" in summary
    assert re.search(r"- after the switch: `200 in \d+ ms`\n", summary)
    assert "There is no release to go back to." in summary
    assert "+ aws_lambda_function.function\n" in summary


def test_a_release_tells_what_changed_how_long_it_took_and_the_way_back(seen: Seen) -> None:
    summary = seen["second"].summary
    assert summary.splitlines()[2].startswith("By `ada`, ")
    assert "  ~ aws_lambda_function.function: s3_key, source_code_hash\n" in summary
    assert re.search(r"- `lambda_function.zip: [\d,]+ → [\d,]+ bytes`\n", summary)
    assert re.search(r"- `pymongo-layer.zip: unchanged, [\d,]+ bytes`\n", summary)
    phases = re.findall(r"^    section (.+)$", summary, re.MULTILINE)
    assert phases == ["inspect", "store", "plan", "apply", "smoke", "10", "100", "switch"]
    assert f"`release 1, bundle {seen.ids['first'][:12]}`" in summary
    assert "gh workflow run rollback.yml --ref main -f environment=local -f reason=" in summary
    assert "python -m pipeline rollback --environment local --reason" in summary


def test_a_live_that_is_broken_does_not_block_its_repair(seen: Seen) -> None:
    assert seen["second"].done.returncode == 0, seen["second"].done.stderr
    assert "- before the switch: `an error (OSError) in " in seen["second"].summary
    assert re.search(r"- after the switch: `200 in \d+ ms`\n", seen["second"].summary)


def test_a_failed_deployment_tells_why_and_how_live_is(seen: Seen) -> None:
    step = seen["broken"]
    assert step.done.returncode == 1 and "error[check-failed]" in step.done.stderr
    assert "In the phase `smoke`:\n\n```\n" in step.summary and "OSError" in step.summary
    assert re.search(r"- now: `200 in \d+ ms`\n", step.summary)
    assert "\nLive stays at version 1.\n" in step.summary
    # What the function wrote into its error is in the block of code, and nowhere else.
    block = re.search(r"phase `smoke`:\n\n```\n(.*?)^```$", step.summary, re.MULTILINE | re.DOTALL)
    assert block and step.summary.count("@everyone") == block[1].count("@everyone") > 0


@pytest.mark.parametrize("name", ["another plan", "nothing, another plan"])
def test_a_plan_that_nobody_approved_is_not_applied(seen: Seen, name: str) -> None:
    """Not even if there is nothing to do; the ledger has nothing of it."""
    step = seen[name]
    assert step.done.returncode == 1 and "error[plan-changed]" in step.done.stderr
    assert "nothing was applied" in step.done.stderr
    assert "approve it: re-run all jobs" in step.done.stderr
    assert step.outputs == {} and "### What failed" in step.summary
    assert [seen[each].outputs["release"] for each in ("second", "rollback")] == ["3", "4"]


def test_what_a_failed_deployment_left_is_told_to_be_its_doing(seen: Seen) -> None:
    """It was applied, and live went back: nobody changed anything by hand."""
    step = seen["plan after broken"]
    assert step.done.returncode == 0, step.done.stderr
    assert "by `ada`, failed: what it may have done half-way is part of this plan" in step.summary
    assert "- `aws_lambda_function.function`: the function's code" in step.summary


def test_what_was_rolled_back_is_told_to_be_in_quarantine(seen: Seen) -> None:
    """With who, why, and the way out; it is no error."""
    step = seen["quarantine"]
    assert step.done.returncode == 0 and step.outputs == {"quarantined": "true"}
    [notice] = re.findall("^::notice::(.*)$", step.done.stderr, re.MULTILINE)
    assert f"bundle {seen.ids['second'][:12]} was rolled back in local by ada at " in notice
    way_out = f"-f bundle={seen.ids['second']} -f release-from-quarantine=true -f reason="
    assert ": too fast. " in notice and way_out in notice
    assert seen["no quarantine"].outputs == {"quarantined": "false"}


def test_a_dry_run_changes_nothing(seen: Seen) -> None:
    """No object, no lease, no lock, no version, not the alias; Terraform still agrees."""
    assert seen["dry run"].done.returncode == 0, seen["dry run"].done.stderr
    assert seen.after_dry_run == seen.before_dry_run
    assert seen.plan_after_dry_run == "No changes."


def test_a_dry_run_shows_what_the_rollback_then_does(seen: Seen) -> None:
    """Here and on the page: from what to what, and what Terraform and the quarantine would do."""
    step = seen["dry run"]
    first, second = seen.ids["first"][:12], seen.ids["second"][:12]
    for told in (step.done.stdout, step.summary):
        assert re.search(rf"release 3, bundle {second}, .*by ada at .*: faster", told)
        assert re.search(rf"release 1, bundle {first}, .*by ada at .*: the </details> first", told)
        assert re.search(r"lambda_function.zip: [\d,]+ → [\d,]+ bytes", told)
        assert "  ~ aws_lambda_function.function: s3_key, source_code_hash\n" in told
        assert f"bundle {second} would be in quarantine" in told
    # Before it plans, for a rollback does not wait for Terraform either.
    assert step.done.stdout.index("would be in quarantine") < step.done.stdout.index("terraform")
    assert "-f environment=local -f release=1 -f reason=" in step.summary
    rollback = seen["rollback"]
    assert rollback.done.returncode == 0, rollback.done.stderr
    assert f"bundle {second} is in quarantine" in rollback.summary
    assert re.search(r"- before the switch: `200 in \d+ ms`\n- after", rollback.summary)
    assert "There is no release to go back to." in rollback.summary


def test_a_dry_run_of_what_cannot_be_done_fails_as_it_would(seen: Seen) -> None:
    step = seen["dry run to nowhere"]
    assert step.done.returncode == 1 and "error[release-unusable]" in step.done.stderr
    assert step.outputs == {}
    assert step.headline == "## local: dry run of a rollback failed, live stays at version 1"


def test_a_stored_bundle_is_fetched_as_it_was_built(seen: Seen, tmp_path: Path) -> None:
    project = seen.job.project
    told = project.must("fetch", seen.ids["second"][:9], "--out", str(tmp_path / "fetched"))
    assert told.strip() == seen.ids["second"]
    for name in ("lambda_function.zip", "pymongo-layer.zip", "manifest.json"):
        built = (project.folder / "build" / name).read_bytes()
        assert (tmp_path / "fetched" / name).read_bytes() == built
    assert len(list((tmp_path / "fetched").iterdir())) == 3
    project.must("inspect", str(tmp_path / "fetched"), "--expect", seen.ids["second"])


@pytest.mark.parametrize("bundle", ["f" * 64, "0123456", "build", "live", "../x"])
def test_a_bundle_that_is_not_stored_is_not_fetched(
    seen: Seen, tmp_path: Path, bundle: str
) -> None:
    done = seen.job.project.run("fetch", bundle, "--out", str(tmp_path / "fetched"))
    assert done.returncode == 1 and "error[bundle-unusable]" in done.stderr
    assert not (tmp_path / "fetched").exists() and done.stdout == ""
