"""What the local runner does not act out, read off the workflow files: each test is one rule.

act runs the steps; filters of events, concurrency, environments, permissions, required inputs and
time limits are GitHub's own doing, so here the files themselves are looked at.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import DEPLOYED_FROM_GITHUB
from pipeline.release import allowed_destruction
from scratch.source import ROOT
from tests.workflows.fake_actions import ACTIONS

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTION_FILES = sorted((GITHUB / "actions").glob("*/action.yml"))
FILES = [*WORKFLOWS, *ACTION_FILES]

Job = dict[str, Any]


@functools.cache
def parsed(name: str) -> dict[str, Any]:
    """Read a workflow; YAML 1.1 takes its key `on` for the boolean True."""
    document = yaml.safe_load((GITHUB / "workflows" / f"{name}.yml").read_text())
    return {("on" if key is True else key): value for key, value in document.items()}


def jobs() -> Iterator[tuple[str, Job]]:
    """Yield every job of every workflow, named `workflow/job`."""
    for path in WORKFLOWS:
        for name, job in parsed(path.stem)["jobs"].items():
            yield f"{path.stem}/{name}", job


def job(name: str) -> Job:
    return dict(jobs())[name]


def step(job_name: str, step_name: str) -> dict[str, Any]:
    [found] = [each for each in job(job_name)["steps"] if each["name"] == step_name]
    return dict(found)


def set_up() -> dict[str, Any]:
    """Read the action that sets a job up."""
    return dict(yaml.safe_load((GITHUB / "actions" / "set-up" / "action.yml").read_text()))


def uses(job: Job) -> set[str]:
    """Return the actions that a job uses, without their pins."""
    return {step["uses"].partition("@")[0] for step in job.get("steps", []) if "uses" in step}


def writing(job: Job) -> set[str]:
    return {name for name, access in job["permissions"].items() if access == "write"}


every_job = pytest.mark.parametrize("name", [name for name, _ in jobs()])
every_file = pytest.mark.parametrize(
    "path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}"
)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_grants_nothing_as_a_whole(path: Path) -> None:
    """A token that is stolen from a job can do what that job needs, and no more."""
    assert parsed(path.stem)["permissions"] == {}


@every_job
def test_a_job_says_what_it_may(name: str) -> None:
    """Without a line of its own a job would have what the repository's settings give."""
    assert isinstance(job(name)["permissions"], dict)


@every_job
def test_a_job_has_a_time_limit(name: str) -> None:
    """GitHub's own is six hours. Called workflows have their limits in their own jobs."""
    if "uses" not in job(name):
        assert 0 < job(name)["timeout-minutes"] <= 45


def test_a_deployment_is_not_cut_off() -> None:
    """At its limit a job has ten seconds to stop, and Terraform may leave its lock behind."""
    assert job("release/deploy")["timeout-minutes"] >= 30
    assert job("rollback/rollback")["timeout-minutes"] >= 30


@every_job
def test_only_a_job_that_needs_an_identity_can_have_one(name: str) -> None:
    """`id-token: write` is what a thief of roles is after."""
    needs_one = {
        "aws-actions/configure-aws-credentials",
        "actions/attest",
        # GitHub Pages takes a site of a job that says by its token who it is.
        "actions/deploy-pages",
    }
    calling = "uses" in job(name)
    assert ("id-token" in writing(job(name))) == (bool(uses(job(name)) & needs_one) or calling)


@every_job
def test_what_a_job_with_an_identity_calls_is_watched(name: str) -> None:
    """From its first step on. Not a rollback: nothing but GitHub and AWS may be in its way."""
    if "id-token" in writing(job(name)) and "uses" not in job(name):
        watching = [
            "step-security/harden-runner@" in each.get("uses", "") for each in job(name)["steps"]
        ]
        assert watching == [name != "rollback/rollback", *[False] * (len(watching) - 1)]


def test_what_signs_reaches_no_account_and_runs_no_code() -> None:
    """Nor does the build that it signs have any identity."""
    assert uses(job("build/attest")) == {
        "actions/attest",
        "actions/download-artifact",
        "step-security/harden-runner",
    }
    assert not any("run" in each for each in job("build/attest")["steps"])
    assert [name for name, each in jobs() if "attestations" in writing(each)] == [
        "build/attest",
        "deploy/build",
    ]


_A_SITE = {"id-token": "write", "pages": "write"}
_A_RELEASE = {
    "attestations": "read",
    "contents": "read",
    "id-token": "write",
    "pull-requests": "read",
}
_A_BUILD = {"attestations": "write", "contents": "read", "id-token": "write"}
_RESULTS = {"actions": "read", "contents": "read", "security-events": "write"}


def test_who_may_do_what() -> None:
    """Each job has what its steps need, and no more; one that calls a workflow, what that needs.

    Writing is for jobs that run main's own code, for the attestation and for results of analyses.
    """
    assert {name: each["permissions"] for name, each in jobs()} == {
        "build/build": {"contents": "read"},
        "labels/plan": {"actions": "write"},
        "build/attest": {"attestations": "write", "id-token": "write"},
        "ci/lint": {"contents": "read"},
        "ci/provider": {"contents": "read"},
        "ci/test": {"contents": "read"},
        "ci/extended": {"contents": "read"},
        "ci/build": {"contents": "read"},
        "ci/same-bytes": {},
        "ci/plan": {"contents": "read", "id-token": "write", "pull-requests": "read"},
        "ci/comment": {"contents": "read", "pull-requests": "write"},
        "ci/no-plan": {},
        "ci/ci": {},
        "deploy/build": _A_BUILD,
        "deploy/nowhere": {},
        "deploy/staging": _A_RELEASE,
        "deploy/plan": {
            "actions": "read",
            "contents": "read",
            "id-token": "write",
            "pull-requests": "read",
        },
        "deploy/approve": {},
        "deploy/production": _A_RELEASE,
        "deploy/pages": _A_SITE,
        "deploy/deployed": {},
        "drift/plan": {"contents": "read", "id-token": "write"},
        "drift/report": {"contents": "read", "issues": "write"},
        "pages/publish": _A_SITE,
        "release/turn": {"contents": "read", "id-token": "write"},
        "release/deploy": _A_RELEASE,
        "rollback/rollback": {"actions": "write", "attestations": "read", "id-token": "write"},
        "rollback/pages": _A_SITE,
        "sandbox/play": {"contents": "read", "id-token": "write"},
        "security/dependencies": {"contents": "read"},
        "security/codeql": _RESULTS,
        "security/scorecard": _RESULTS,
    }


def test_a_called_workflow_needs_no_more_than_its_caller_may() -> None:
    """GitHub refuses to start it otherwise, and never gives it more."""
    for workflow, granted in (
        ("build/", _A_BUILD),
        ("pages/", _A_SITE),
        ("release/", _A_RELEASE),
    ):
        called = [each["permissions"] for name, each in jobs() if name.startswith(workflow)]
        needed = {permission: access for each in called for permission, access in each.items()}
        assert needed == granted


def test_what_writes_to_github_runs_mains_code_and_holds_no_role() -> None:
    """What a pull request brings must not meet a token that writes: it travels as data."""
    for name in ("ci/comment", "drift/report"):
        assert uses(job(name)) == {
            "./.github/actions/set-up",
            "actions/checkout",
            "actions/download-artifact",
        }
    taken = step("ci/comment", "Check out main")["with"]["ref"]
    assert taken == "${{ github.base_ref }}" and parsed("ci")["on"]["pull_request"] == {
        "branches": ["main"]
    }
    # Nothing of what was downloaded is run: it comes after all code, into a folder of its own.
    for name in ("ci/comment", "drift/report"):
        *_, setting_up, downloading, last = job(name)["steps"]
        assert setting_up["uses"] == "./.github/actions/set-up"
        assert downloading["with"]["path"] in ("plan", "drift")
        assert last["run"].startswith("python -m pipeline github ")


@every_file
def test_actions_are_pinned_by_a_commit(path: Path) -> None:
    """Tags move; commits do not. The comment is what Dependabot and people read."""
    for pin in re.findall(r"uses: [^.@][^@\n]*@(.*)", path.read_text()):
        assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", pin)


def test_an_action_has_one_pin() -> None:
    """Those of one repository, too. Dependabot moves them together."""
    pins: dict[str, set[str]] = {}
    for path in FILES:
        for action, pin in re.findall(r"uses: ([^.@][^@\n]*)@(.*)", path.read_text()):
            pins.setdefault("/".join(action.split("/")[:2]), set()).add(pin)
    assert {action: len(found) for action, found in pins.items() if len(found) > 1} == {}


def test_pins_are_compared_with_their_repositories() -> None:
    """zizmor asks GitHub whether each commit is its tag's, and the repository's own.

    https://docs.zizmor.sh/audits/#ref-version-mismatch and #impostor-commit
    """
    comparing = step("ci/lint", "Verify the commits of pinned actions")
    assert comparing["env"] == {"GH_TOKEN": "${{ github.token }}"}
    assert comparing["run"] == "make lint-pins"
    _, _, target = (ROOT / "Makefile").read_text().partition("\nlint-pins: ")
    assert "zizmor" in target.split("\n\n")[0] and "--offline" not in target.split("\n\n")[0]


@every_file
def test_no_script_is_longer_than_ten_lines(path: Path) -> None:
    """What decides is in the pipeline, where it can be tested, and typed at a desk."""
    document = yaml.safe_load(path.read_text())
    every = [*document.get("jobs", {}).values(), document.get("runs", {})]
    long = [
        each["name"]
        for each in (each for part in every for each in part.get("steps", []))
        if len(each.get("run", "").splitlines()) > 10
    ]
    assert long == []


@every_file
def test_stand_ins_know_every_input_that_is_given(path: Path) -> None:
    """The tests would not notice one that is not passed on; nor a mistyped one.

    Of the actions, that is, that take part in what is tested.
    """
    if path.stem == "security":
        return
    document = yaml.safe_load(path.read_text())
    every = [*document.get("jobs", {}).values(), document.get("runs", {})]
    for step in (step for each in every for step in each.get("steps", [])):
        action = step.get("uses", "./").partition("@")[0]
        if not action.startswith("./"):
            assert set(step.get("with", {})) <= set(ACTIONS[action][0])


@every_file
def test_no_expression_in_a_script(path: Path) -> None:
    """A branch's name or a title would be run as code: values go through `env`."""
    document = yaml.safe_load(path.read_text())
    every = [*document.get("jobs", {}).values(), document.get("runs", {})]
    for step in (step for each in every for step in each.get("steps", [])):
        assert "${{" not in step.get("run", "")


@every_job
def test_a_checkout_leaves_no_token_behind(name: str) -> None:
    """Else it lies in `.git/config`, for every later step to read."""
    for step in job(name).get("steps", []):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@every_file
def test_no_long_lived_secret(path: Path) -> None:
    """AWS is reached by OIDC, GitHub with the job's own token."""
    assert "secrets." not in path.read_text() and "AWS_SECRET" not in path.read_text()


def test_what_starts_a_workflow() -> None:
    """Never `pull_request_target` or `workflow_run`: they run a stranger's code with our rights."""
    assert parsed("ci")["on"] == {"pull_request": {"branches": ["main"]}, "merge_group": None}
    deploy = parsed("deploy")["on"]
    assert deploy["push"] == {"branches": ["main"]} and set(deploy) == {"push", "workflow_dispatch"}
    for name in ("build", "pages", "release"):
        assert set(parsed(name)["on"]) == {"workflow_call"}
    assert all(each["required"] for each in _asked("deploy", "bundle", "reason"))
    assert _asked("deploy", "release-from-quarantine")[0]["default"] is False
    assert set(parsed("rollback")["on"]) == {"workflow_dispatch"}
    for name in ("drift", "sandbox"):
        assert set(parsed(name)["on"]) == {"schedule", "workflow_dispatch"}


def _asked(workflow: str, *names: str) -> list[dict[str, Any]]:
    inputs = parsed(workflow)["on"]["workflow_dispatch"]["inputs"]
    return [inputs[name] for name in names]


def test_what_a_rollback_asks_for() -> None:
    requested = parsed("rollback")["on"]["workflow_dispatch"]["inputs"]
    assert set(requested) == {"environment", "release", "reason", "cancel-deployment", "dry-run"}
    assert requested["environment"]["type"] == "choice"
    assert requested["environment"]["options"] == list(DEPLOYED_FROM_GITHUB)
    assert requested["environment"]["required"] and requested["reason"]["required"]
    assert not requested["release"].get("required") and requested["dry-run"]["default"] is False
    assert requested["cancel-deployment"]["default"] is True


def test_until_traffic_is_back_a_rollback_needs_github_and_aws_alone() -> None:
    """One job. Before it moves traffic it uses one action, which gets the role; the rest is done
    with what the image has. What comes after cannot take that back."""
    steps = job("rollback/rollback")["steps"]
    names = [each["name"] for each in steps]
    assert "needs" not in job("rollback/rollback")
    before = steps[: names.index("Restore traffic")]
    actions = [each["uses"].partition("@")[0] for each in before if "uses" in each]
    assert actions == ["aws-actions/configure-aws-credentials"]
    scripts = [each.get("run", "") for each in before]
    assert not re.search(r"^ *(pip|git|terraform|curl|python3?) ", "\n".join(scripts), re.M)
    assert step("rollback/rollback", "Set up Terraform")["continue-on-error"] is True


def test_each_build_can_import_the_handler() -> None:
    """Without the packages of AWS's runtime, `build` says that it did not, and goes on."""
    for name, each in jobs():
        scripts = [step.get("run", "") for step in each.get("steps", [])]
        if builds := [at for at, run in enumerate(scripts) if "pipeline build" in run]:
            assert "python -m localcloud install" in scripts[: builds[0]], name


def test_terraform_is_the_same_version_everywhere() -> None:
    """A state that a newer one wrote is refused by an older one."""
    [of_all] = [each for each in set_up()["runs"]["steps"] if "hashicorp" in each.get("uses", "")]
    assert step("rollback/rollback", "Set up Terraform")["with"] == of_all["with"]
    assert step("rollback/rollback", "Set up Terraform")["uses"] == of_all["uses"]


def test_what_deployed_last_is_what_rolls_back() -> None:
    """It is stored once a deployment has succeeded, never by one that failed."""
    storing = step("release/deploy", "Store the pipeline for rollbacks")
    assert "if" not in storing and "continue-on-error" not in storing
    names = [each["name"] for each in job("release/deploy")["steps"]]
    assert names.index("Store the pipeline for rollbacks") == names.index("Deploy") + 1


def test_a_pull_requests_older_runs_are_cancelled() -> None:
    """They change nothing, and nobody reads them."""
    assert parsed("ci")["concurrency"]["cancel-in-progress"] is True


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_deployments_to_an_environment_queue_and_none_is_cancelled(environment: str) -> None:
    """One at a time. GitHub keeps a single one waiting without `queue: max`, and an older merge
    that comes late would then displace a newer one, which nobody would deploy any more."""
    group = {"group": f"deploy-{environment}", "queue": "max"}
    assert job(f"deploy/{environment}")["concurrency"] == group


def test_an_approval_holds_nothing_up() -> None:
    """A run that waits for a person keeps its concurrency groups: no deployment is in that one.

    A newer merge takes the place of one that waits; what a person dispatched keeps its own.
    """
    assert job("deploy/approve")["concurrency"] == {
        "group": "approve-production-${{ github.event_name }}",
        "cancel-in-progress": True,
    }
    assert "concurrency" not in parsed("deploy") and "concurrency" not in parsed("release")
    assert all("concurrency" not in each for each in parsed("release")["jobs"].values())


def test_a_rollback_is_in_no_queue_of_deployments() -> None:
    """At three in the morning it neither waits behind them, nor is cancelled by them.

    Nor does a third rollback displace a second that waits.
    """
    concurrency = parsed("rollback")["concurrency"]
    assert concurrency == {"group": "rollback-${{ inputs.environment }}", "queue": "max"}


def test_production_is_behind_its_environment() -> None:
    """The approval has an environment that asks people; the deployment's admits main only."""
    approval = {"name": "production-approval", "deployment": False}  # it deploys nothing
    assert job("deploy/approve")["environment"] == approval
    assert "approve" in job("deploy/production")["needs"]
    assert "needs.approve.result == 'success'" in job("deploy/production")["if"]
    assert job("release/deploy")["environment"] == "${{ inputs.environment }}"
    assert job("rollback/rollback")["environment"] == "${{ inputs.environment }}-rollback"


def test_the_site_is_for_a_repository_that_wants_it() -> None:
    """It may be the whole world's to read. A deployment or a rollback that failed is on it, too."""
    for name, when in (
        ("deploy/pages", "needs.production.outputs.turn == 'true'"),
        ("rollback/pages", "!inputs.dry-run && needs.rollback.result != 'skipped'"),
    ):
        assert "!cancelled() && vars.PAGES == 'on' &&" in job(name)["if"]
        assert when in job(name)["if"]
    assert "inputs.environment == 'production'" in job("rollback/pages")["if"]
    assert job("pages/publish")["environment"]["name"] == "github-pages"
    assert job("pages/publish")["concurrency"] == {"group": "pages", "queue": "max"}


def test_a_page_that_fails_changes_nothing_of_what_was_done() -> None:
    """GitHub would record a good deployment as failed, and a rollback would pass it over."""
    for name in ("release/deploy", "rollback/rollback"):
        for what in ("Write the release page", "Upload the release page"):
            assert step(name, what)["continue-on-error"] is True
            assert "!cancelled()" in step(name, what)["if"]


def test_no_approval_is_required_for_what_is_not_deployed() -> None:
    """Nor does a plan that nobody saw stop it: there is nothing to do, or it is in quarantine."""
    nothing, quarantined = "nothing-to-do == 'false'", "quarantined == 'false'"
    word = "(needs.plan.outputs.quarantined == 'false' || inputs.release-from-quarantine)"
    assert nothing in job("deploy/approve")["if"] and word in job("deploy/approve")["if"]
    stopping = step("deploy/plan", "Check that a difference can be approved")["if"]
    assert nothing in stopping and quarantined in stopping


def test_what_was_approved_is_what_is_applied() -> None:
    """The digest of the plan goes from the plan to the approval, and on to the pipeline."""
    handed_on = "${{ needs.plan.outputs.sha256 }}"
    looking = step("release/turn", "Check the ledger and the quarantine")
    assert "inputs.plan != ''" in looking["env"]["REQUIRED"]
    assert job("deploy/plan")["outputs"]["sha256"] == "${{ steps.plan.outputs.sha256 }}"
    assert job("deploy/production")["with"]["plan"] == handed_on
    deploying = step("release/deploy", "Deploy")
    assert deploying["env"]["PLAN"] == "${{ inputs.plan }}"
    assert '${PLAN:+--expect-plan "$PLAN"}' in deploying["run"]


def test_what_is_deployed_is_what_was_built() -> None:
    """By its id, wherever it comes from: an artifact could have been exchanged on its way."""
    inspecting = step("release/deploy", "Verify the bundle")
    assert inspecting["env"]["BUNDLE"] == "${{ inputs.bundle }}"
    assert inspecting["run"] == 'python -m pipeline inspect bundle --expect "$BUNDLE"'
    asked_for = "${{ inputs.bundle || needs.build.outputs.bundle }}"
    for environment in ("staging", "production"):
        assert job(f"deploy/{environment}")["with"]["bundle"] == asked_for


def test_a_person_lets_a_bundle_out_of_quarantine_with_a_reason() -> None:
    """Nothing else does: a push has no such input."""
    for environment in ("staging", "production"):
        given = job(f"deploy/{environment}")["with"]
        assert given["release-from-quarantine"] == "${{ inputs.release-from-quarantine || false }}"
        assert given["reason"] == "${{ inputs.reason }}"


def test_drift_is_planned_with_the_tree_that_was_deployed() -> None:
    """The ledger names it, and what it names is checked out and set up."""
    found = step("drift/plan", "Find the last deployed commit")
    assert "github deployed-tree" in found["run"]
    taken = step("drift/plan", "Check out that commit")["with"]["ref"]
    assert taken == f"${{{{ steps.{found['id']}.outputs.commit }}}}"


@pytest.mark.parametrize("name", ["ci/lint", "ci/test", "ci/extended", "ci/build", "ci/same-bytes"])
def test_a_fork_and_a_merge_queue_get_all_that_needs_no_role(name: str) -> None:
    assert "if" not in job(name)


def test_a_merge_queue_gets_no_plan() -> None:
    """Its token is neither a pull request's nor main's, so no role trusts it."""
    for name in ("ci/plan", "ci/no-plan", "ci/comment"):
        assert "github.event_name == 'pull_request' &&" in job(name)["if"]


def test_only_a_job_with_an_environment_gets_a_role_that_writes() -> None:
    """The role trusts `environment:…`; a plan's role trusts pull requests and main, and reads."""
    for name, each in jobs():
        for step in each.get("steps", []):
            role = step.get("with", {}).get("role-to-assume")
            if role:
                assert role.endswith("-plan") == ("environment" not in each), name


def test_the_sandbox_is_for_a_repository_that_has_one() -> None:
    """Everything in its account is destroyed, so it is none that is deployed to."""
    condition = job("sandbox/play")["if"]
    assert "vars.SANDBOX_ACCOUNT_ID != '' &&" in condition
    assert "vars.SANDBOX_ACCOUNT_ID != vars.AWS_ACCOUNT_ID &&" in condition
    night = "(github.event_name == 'workflow_dispatch' || vars.SANDBOX_NIGHTLY == 'on')"
    assert night in condition


def test_the_sandbox_is_destroyed_whatever_happened() -> None:
    """With time left for it: what the steps before may take ends before the job does."""
    for name in ("Destroy", "Report where AWS differed", "Upload the report"):
        assert step("sandbox/play", name)["if"] == "always()"
    playing = step("sandbox/play", "Bootstrap, release, change, roll back")["timeout-minutes"]
    assert job("sandbox/play")["timeout-minutes"] - playing >= 15


def test_a_fork_gets_no_role_and_a_notice() -> None:
    """Its token could not get one anyway; without the condition its plan would fail instead."""
    ours = "github.event.pull_request.head.repo.full_name == github.repository"
    assert ours in job("ci/plan")["if"] and ours in job("ci/no-plan")["if"]


def test_nothing_that_deploys_uses_what_another_job_fetched() -> None:
    """A cache or another job's provider, filled by somebody, would decide what is deployed."""
    for name, each in jobs():
        for step in each.get("steps", []):
            assert "provider" not in step.get("with", {}) or name.startswith("ci/"), name
            assert "cache" not in step.get("with", {})
    assert set_up()["inputs"]["provider"]["default"] == "false"
    assert "actions/cache" not in "".join(path.read_text() for path in FILES)


def test_the_parts_of_the_extended_tests_are_all_of_them() -> None:
    """A folder that no part names would not be tested on a pull request."""
    parts = job("ci/extended")["strategy"]["matrix"]["include"]
    named = [folder for part in parts for folder in part["tests"].split()]
    marked = {
        f"tests/{path.relative_to(ROOT / 'tests').parts[0]}"
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"^(pytestmark = |@).*\bpytest\.mark\.extended\b", path.read_text(), re.M)
    }
    assert marked <= set(named) and len(named) == len(set(named))
    assert all((ROOT / folder).is_dir() for folder in named)


@every_job
def test_a_job_names_its_image(name: str) -> None:
    """`ubuntu-latest` becomes another one some day, in the middle of something else."""
    image = job(name).get("runs-on", "ubuntu-24.04")
    small = all("run" in each for each in job(name).get("steps", []))
    assert image in ("ubuntu-24.04", "${{ matrix.image }}") or (image == "ubuntu-slim" and small)


def test_the_bundle_is_built_on_two_images() -> None:
    """What differs between them would differ between the pull request and main, too."""
    assert job("ci/build")["strategy"]["matrix"]["image"] == ["ubuntu-24.04", "ubuntu-26.04"]


def test_terraform_is_called_without_the_wrapper() -> None:
    """setup-terraform's wrapper changes its output, its exit status, and who gets a signal."""
    steps = set_up()["runs"]["steps"]
    [terraform] = [each for each in steps if each.get("uses", "").startswith("hashicorp/")]
    assert terraform["with"]["terraform_wrapper"] == "false"


@pytest.mark.parametrize("name", ["ci/plan", "drift/plan"])
def test_a_failed_plan_stops_none_of_another_environment(name: str) -> None:
    """Else GitHub would cancel the other jobs of the matrix."""
    assert job(name)["strategy"]["fail-fast"] is False


def test_the_required_check_waits_for_all_that_can_fail() -> None:
    """A job that is skipped because another failed must not pass for a success."""
    assert set(job("ci/ci")["needs"]) == {"lint", "test", "extended", "same-bytes", "plan"}
    assert job("ci/ci")["if"] == "always()"


def test_dependabot_watches_everything_that_is_pinned() -> None:
    """Actions, packages and Terraform's provider; with some days for bad news to spread."""
    watched: dict[str, set[str]] = {}
    for update in dependabot():
        watched.setdefault(update["package-ecosystem"], set()).update(update["directories"])
        assert update["cooldown"]["default-days"] >= 7
    folders = {
        "/" if path.parent == ROOT else f"/{path.parent.relative_to(ROOT)}"
        for pattern in ("*.in", "*/*.in")
        for path in ROOT.glob(pattern)
    }
    assert watched.pop("github-actions") == {"/", "/.github/actions/*"}
    assert watched.pop("uv") == folders
    locks = ROOT.glob("tests/**/package-lock.json")
    clients = {f"/{path.parent.relative_to(ROOT)}" for path in locks}
    assert watched.pop("npm") == clients
    stacks = {f"/{path.parent.relative_to(ROOT)}" for path in ROOT.glob("terraform/**/*.lock.hcl")}
    assert watched.pop("terraform") == stacks
    assert not watched


def dependabot() -> list[dict[str, Any]]:
    """Read what Dependabot updates."""
    return list(yaml.safe_load((GITHUB / "dependabot.yml").read_text())["updates"])


def test_dependabots_pull_requests_can_be_green() -> None:
    """What has to change together is in one pull request; the layer's packages are in their own.

    Several directories become one pull request only in a group.
    https://docs.github.com/en/code-security/reference/supply-chain-security/dependabot-options-reference
    """
    for update in dependabot():
        assert [group["patterns"] for group in update["groups"].values()] == [["*"]]
    alone = [update["directories"] for update in dependabot() if "/layer" in update["directories"]]
    assert alone == [["/layer"]]


def test_lock_files_say_how_they_were_made() -> None:
    """Dependabot reads uv's options from there, and `make lock` uses the same."""
    makefile = (ROOT / "Makefile").read_text()
    for path in ROOT.glob("*/requirements.in"):
        header = path.with_suffix(".txt").read_text().splitlines()[1]
        for option in ("--universal", "--generate-hashes", "--python-version 3.13"):
            assert option in header and option in makefile, path


def test_a_label_that_allows_a_destruction_starts_the_checks_again() -> None:
    """Only such a label does, and not in a fork, whose token cannot start a run."""
    assert parsed("labels")["on"]["pull_request"]["types"] == ["labeled", "unlabeled"]
    condition = job("labels/plan")["if"]
    assert f"startsWith(github.event.label.name, '{allowed_destruction.PREFIX}')" in condition
    assert "github.event.pull_request.head.repo.full_name == github.repository" in condition
