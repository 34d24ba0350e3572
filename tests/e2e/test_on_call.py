"""The states in which somebody is woken: `status` names each, and its command repairs it.

Every test begins and ends with an environment with which `status` is content.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Environment
from pipeline.packaging.zip_writer import write_zip
from pipeline.release import ledger
from pipeline.release.ledger import Ledger
from pipeline.target import Target
from scratch import cloud
from scratch.mongodb import Mongod, own_mongod
from tests.support import http, provider
from tests.support.service import Service

pytestmark = pytest.mark.extended

ARTIFACTS = "mongo-client-artifacts-123456789012"
STATE_BUCKET = "mongo-client-terraform-state-123456789012"
_FOREIGN = write_zip({"lambda_function.py": b"def lambda_handler(event, context): pass\n"})
_LOCK = {"ID": "3b5b", "Operation": "OperationTypeApply", "Who": "ada@desk", "Version": "1.11.4"}
_LOCK |= {"Info": "", "Created": "2026-01-02T03:04:05.67Z", "Path": "state"}
# The first calls, those of the deployment, are answered well.
_GETS_WORSE = """

_well, _calls = lambda_handler, []


def lambda_handler(event, context):
    _calls.append(1)
    return _well(event, context) if len(_calls) < 8 else {"statusCode": 500, "body": "{}"}
"""
_FAILS = '\n\ndef lambda_handler(event, context):\n    raise OSError("bad")\n'
_ROLE = "deploys-without-update-alias"


@pytest.fixture(scope="module")
def mongod() -> Iterator[Mongod]:
    with own_mongod() as server:
        yield server


@pytest.fixture(scope="module")
def service(
    mongod: Mongod, built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service that was released twice, in a repository, in a cloud of its own."""
    folder = tmp_path_factory.mktemp("on-call")
    with cloud.running(folder / "cloud", mongod.uri) as settings:
        with provider.running(settings) as running:
            service = Service.copy_to(folder / "project", settings | running, built_bundle)
            _make_a_repository(service)
            for name in ("first", "second"):
                service.build(name, f"MARK = {name!r}")
                _commit(service)
                service.build(name, f"MARK = {name!r}")
                service.must("deploy", "--bundle", name, "--all-at-once", "--reason", name)
            yield service


@pytest.fixture
def content(service: Service) -> Iterator[Service]:
    """The service, with which `status` is content before and afterwards."""
    assert _status(service)["states"] == []
    yield service
    done = service.run("status")
    assert done.returncode == 0 and "nothing needs a person" in done.stdout, done.stdout


def _make_a_repository(service: Service) -> None:
    folder = service.project.folder
    (folder / "Makefile").write_text(
        f".PHONY: build\nbuild:\n\t{sys.executable} -m pipeline build --out build\n"
    )
    (folder / ".gitignore").write_text("__pycache__/\n.terraform/\nfirst/\nsecond/\nbuild/\n")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)


def _commit(service: Service) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["add", "-A"], ["commit", "-qm", "source"]):
        subprocess.run([*git, *command], cwd=service.project.folder, check=True)


def _status(service: Service) -> dict[str, Any]:
    """Return what `status --json` prints; its exit status is 1 if any state needs a person."""
    done = service.run("status", "--json")
    document: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if document["content"] else 1), done.stderr
    assert document["content"] is (document["states"] == [])
    return document


def _named(service: Service, name: str) -> dict[str, str]:
    """Return the one state that needs a person, which has this name."""
    states: list[dict[str, str]] = _status(service)["states"]
    assert [state["name"] for state in states] == [name], states
    return states[0]


def _type(service: Service, command: str) -> str:
    """Type a command as `status` prints it; return what it prints if it succeeds."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=service.project.folder,
        env=service.project.process_environment() | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, command + done.stdout + done.stderr
    return done.stdout + done.stderr


def _until(condition: Callable[[], bool]) -> None:
    """Wait for what comes; the tests' guard against hangs ends what does not."""
    while not condition():
        time.sleep(0.1)


def _alarm(service: Service, kind: str, value: str) -> None:
    """Put an alarm into a state, as CloudWatch does when it evaluates it."""
    service.client("cloudwatch").set_alarm_state(
        AlarmName=f"{service.function_name}-{kind}", StateValue=value, StateReason="the drill"
    )


def test_status_says_what_serves_since_when_and_by_whom(content: Service) -> None:
    """In words for people, and with the same facts for machines."""
    document, [newest, *_] = _status(content), content.releases()
    [share] = document["shares"]
    assert (share["version"], share["percent"]) == (newest["version"], 100)
    assert (share["release"], share["bundle"]) == (newest["release"], newest["bundle"])
    assert (document["api"]["health"], document["under_way"]) == ("200", False)
    text = content.must("status")
    for words in (
        f"v{newest['version']} of #{newest['release']}",
        f"since {newest['ended'][:19]}Z",
        f"by {newest['actor']}, bundle {newest['bundle'][:12]}",
        f"{document['api']['url']}  GET /api/health: 200 in ",
    ):
        assert words in text
    table = content.must("releases").splitlines()
    assert [line.split()[:2] for line in table if line.startswith("live ")] == [
        ["live", f"#{newest['release']}"]
    ]


def test_a_bad_release(content: Service) -> None:
    """It passed its checks, and answers 500 since. What is rolled back is in quarantine."""
    before = content.live()
    bundle = content.build("bad", _GETS_WORSE)
    content.must("deploy", "--bundle", "bad", "--all-at-once")
    url = f"{_status(content)['api']['url']}/api/health"
    _until(lambda: http.get(url)[0] == 500)
    state = _named(content, "calls-fail")
    assert f"GET {url}: 500" in state["sentence"]
    _type(content, state["command"])
    assert content.live() == before
    assert bundle in {each["bundle"] for each in content.releases() if each["quarantined"]}


def test_a_slow_release(content: Service) -> None:
    before = content.live()
    content.build("slow", "SLOW = 1")
    content.must("deploy", "--bundle", "slow", "--all-at-once")
    _alarm(content, "duration", "ALARM")
    _type(content, _named(content, "calls-slow")["command"])
    assert content.live() == before
    _alarm(content, "duration", "OK")


def test_a_dead_database(content: Service, mongod: Mongod) -> None:
    """No release is to blame: the command shows the log, which says why."""
    mongod.kill()
    try:
        state = _named(content, "database-down")
        assert "no rollback helps" in state["sentence"]
        assert "database unavailable: " in _type(content, state["command"])
    finally:
        mongod.start()


@pytest.mark.parametrize("keep", ["command", "otherwise"])
def test_an_alias_that_was_moved(content: Service, keep: str) -> None:
    """Either way: back to what the ledger says, or what serves becomes a release.

    `plan`, `releases` and `rollback` say it in the same words, and none says that a release serves
    that does not.
    """
    serving, *earlier = [each for each in content.releases() if each["outcome"] == "succeeded"]
    other = next(each for each in earlier if each["version"] != serving["version"])
    content.client("lambda").update_alias(
        FunctionName=content.function_name, Name="live", FunctionVersion=other["version"]
    )
    state = _named(content, "live-moved")
    assert f"v{other['version']} of #" in state["sentence"]
    assert f"v{serving['version']} of #{serving['release']} serves" in state["sentence"]
    words = f"live-moved: {state['sentence']}"
    assert words in content.run("releases").stderr
    assert words in content.must("plan", "--bundle", "live")
    refused = content.run("rollback", "--reason", "what?")
    assert refused.returncode == 1 and "error[release-unusable]" in refused.stderr
    assert state["sentence"] in refused.stderr
    dry_run = content.run("rollback", "--dry-run", "--to", str(serving["release"]))
    assert dry_run.returncode == 0 and words in dry_run.stderr, dry_run.stderr
    [serves] = [line for line in dry_run.stdout.splitlines() if line.startswith("serves ")]
    assert f"v{other['version']} of #" in serves and "somebody moved live" in serves
    command = state[keep].removeprefix("to keep what serves: ")
    _type(content, command)
    kept = serving if keep == "command" else other
    newest = content.releases()[0]
    assert content.live() == (kept["version"], {}) and newest["bundle"] == kept["bundle"]
    in_quarantine = {each["bundle"] for each in content.releases() if each["quarantined"]}
    assert (serving["bundle"] in in_quarantine) is (keep == "otherwise")
    assert newest["quarantined"] is None
    if keep == "otherwise":
        _restore_the_quarantined(content, serving)


def _restore_the_quarantined(service: Service, release: dict[str, Any]) -> None:
    """Restore a release whose bundle is in quarantine: that needs a reason, and takes it out."""
    live = service.live()
    to = ("rollback", "--to", str(release["release"]))
    refused = service.run(*to)
    assert refused.returncode == 1 and "error[bundle-quarantined]" in refused.stderr
    assert service.live() == live
    service.must(*to, "--reason", "it was right")
    assert service.live() == (release["version"], {})
    assert service.releases()[0]["quarantined"] is None


def test_code_that_was_changed(content: Service) -> None:
    """The bundle that serves is deployed again, and replaces it."""
    functions = content.client("lambda")
    functions.update_function_code(FunctionName=content.function_name, ZipFile=_FOREIGN)
    state = _named(content, "code-changed")
    assert f"code-changed: {state['sentence']}" in content.must("plan", "--bundle", "live")
    printed = _type(content, state["command"])
    assert f"code-changed: {state['sentence']}" in printed
    latest = functions.get_function_configuration(FunctionName=content.function_name)
    assert latest["CodeSha256"] == content.configuration()["CodeSha256"]


def test_a_setting_that_was_changed(content: Service) -> None:
    functions, name = content.client("lambda"), content.function_name
    before = content.configuration()["MemorySize"]
    functions.update_function_configuration(FunctionName=name, MemorySize=before + 1)
    state = _named(content, "settings-changed")
    assert "$LATEST: MemorySize" in state["sentence"]
    _type(content, state["command"])
    assert functions.get_function_configuration(FunctionName=name)["MemorySize"] == before


def test_a_state_that_is_locked(content: Service) -> None:
    key = f"mongo-client/{content.environment}.tfstate.tflock"
    lock = {"Bucket": STATE_BUCKET, "Key": key}
    content.client("s3").put_object(**lock, Body=json.dumps(_LOCK).encode())
    state = _named(content, "state-locked")
    assert "ada@desk holds the lock" in state["sentence"]
    _type(content, state["command"])


def test_the_lease_of_a_dead_process(content: Service) -> None:
    """A release is under way in the ledger, and nobody gives a sign of life."""
    records = Ledger(Target(content.project.account(), Environment(content.environment)))
    serving = records.serving()
    assert serving
    died = replace(
        *(serving,),
        number=content.releases()[0]["release"] + 1,
        **{"outcome": "under way", "ended": None, "version": None, "restores": None},
        kind="deploy",
    )
    assert records._create(died, "begin")
    state = _named(content, "release-died")
    assert f"#{died.number} (a deploy by" in state["sentence"]
    _type(content, state["command"])
    assert content.live() == (serving.version, {})
    assert records.get(died.number) == replace(
        died, outcome="interrupted", ended=_ended(records, died.number)
    )


def _ended(records: Ledger, number: int) -> str | None:
    release = records.get(number)
    return release.ended if release else ledger.now()


@contextmanager
def _a_long_canary(service: Service) -> Iterator[None]:
    """Let a canary last until it is interrupted, however slow the machine is."""
    folder = service.project.folder
    steps = folder / "terraform/environments/local/rollout.toml"
    budget = folder / "pipeline/config.py"
    texts = {path: path.read_text() for path in (steps, budget)}
    steps.write_text("percents = [10, 100]\nwatch_s = 86400\nleast_calls = 1\nalarms = []\n")
    assert "\nJOB_S = 1800\n" in texts[budget]
    budget.write_text(texts[budget].replace("\nJOB_S = 1800\n", "\nJOB_S = 1_000_000\n"))
    try:
        yield
    finally:
        for path, text in texts.items():
            path.write_text(text)


def test_a_canary_that_is_half_way(content: Service) -> None:
    """While its process lives it is under way, and content; then it is nobody's."""
    before, _ = content.live()
    content.build("canary", "CANARY = 1")
    with _a_long_canary(content):
        with content.running("deploy", "--bundle", "canary") as process:
            process.wait_for("10 %")
            _until(lambda: content.live()[1] != {})
            alive = _status(content)
            assert alive["content"] and alive["under_way"], alive
            assert [share["percent"] for share in alive["shares"]] == [90, 10]
            assert "is under way: a deploy of bundle" in content.must("status")
            process.popen.kill()
            process.wait()
    _until(lambda: not _status(content)["content"])
    state = _named(content, "release-half-way")
    assert "gets 10 %, and nobody watches that" in state["sentence"]
    _type(content, state["command"])
    assert content.live() == (before, {})


def test_a_stored_bundle_that_is_missing(content: Service) -> None:
    """What serves can be built again, from its commit. Others can be restored meanwhile."""
    s3, [serving, *others] = content.client("s3"), content.releases()
    manifest = {"Bucket": ARTIFACTS, "Key": f"bundles/{serving['bundle']}/manifest.json"}
    s3.delete_object(**manifest)
    state = _named(content, "bundle-missing")
    assert manifest["Key"] in state["sentence"]
    _type(content, state["command"])
    s3.head_object(**manifest)

    target = next(
        each
        for each in others
        if each["outcome"] == "succeeded" and each["bundle"] != serving["bundle"]
    )
    manifest["Key"] = f"bundles/{target['bundle']}/manifest.json"
    stored = s3.get_object(**manifest)["Body"].read()
    s3.delete_object(**manifest)
    refused = content.run("rollback", "--to", str(target["release"]))
    s3.put_object(**manifest, Body=stored, IfNoneMatch="*")
    assert refused.returncode == 1 and "error[bundle-unusable]" in refused.stderr
    assert f"release #{target['release']} cannot be restored: s3://" in refused.stderr


def test_a_role_that_is_refused(content: Service) -> None:
    """A deployment may not move live once it is applied: Terraform is ahead, and it says why."""
    before = content.live()
    content.build("refused", "REFUSED = 1")
    project = content.project
    usual = dict(project.environment)
    project.environment.update(_assume_a_role_without(content, "lambda:UpdateAlias"))
    try:
        done = content.run("deploy", "--bundle", "refused", "--all-at-once")
    finally:
        project.environment.clear()
        project.environment.update(usual)
    assert done.returncode == 1 and "AccessDenied" in done.stderr, done.stderr
    state = _named(content, "terraform-ahead")
    assert "AccessDenied" in state["sentence"] and "lambda:UpdateAlias" in state["sentence"]
    assert content.live() == before
    _type(content, state["command"])


def _assume_a_role_without(service: Service, action: str) -> dict[str, str]:
    """Return the credentials of a role that may do everything but one action."""
    iam, sts = service.client("iam"), service.client("sts")
    account = sts.get_caller_identity()["Account"]
    own = {"AWS": f"arn:aws:iam::{account}:root"}
    trust = {"Effect": "Allow", "Principal": own, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName=_ROLE, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
    )["Role"]
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": action, "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=_ROLE, PolicyName="all-but-one", PolicyDocument=document)
    given = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="drill")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


def test_terraform_ahead(content: Service) -> None:
    """Somebody ran Terraform at a desk, with another setting: what it published does not serve."""
    project, before = content.project, content.live()
    code = (
        "from pipeline import aws; from pipeline.bundle import store; "
        "from pipeline.config import Environment; from pipeline.terraform import runner; "
        "account = aws.connect(); environment = Environment('local')\n"
        "with runner.workspace(runner.service_stack(environment)) as terraform:\n"
        f"    manifest = store.load(account, {content.releases()[0]['bundle']!r}).manifest\n"
        "    given = runner.bundle_variables(account, manifest) | {'memory_mb': 300}\n"
        "    terraform.apply(terraform.plan(account, given))\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.folder,
        env=project.process_environment(),
        check=True,
    )
    state = _named(content, "terraform-ahead")
    assert "Terraform applied v" in state["sentence"] and "(MemorySize)" in state["sentence"]
    assert content.live() == before
    _type(content, state["command"])


def test_a_first_release_that_is_broken(service: Service) -> None:
    """It failed its check, and serves all the same: there was nothing to go back to."""
    staging = replace(service, environment="staging")
    assert _status(staging)["content"]
    staging.build("build", _FAILS)
    _commit(staging)
    staging.build("build", _FAILS)
    done = staging.run("deploy", "--all-at-once")
    assert done.returncode == 1 and "error[check-failed]" in done.stderr
    assert "although it failed: nothing served before" in done.stderr
    state = _named(staging, "first-release-failed")
    assert "v1 of #1 serves all calls" in state["sentence"]
    refused = staging.run("rollback", "--reason", "it is broken")
    assert refused.returncode == 1 and "no release of staging ever succeeded" in refused.stderr
    staging.project.handler.write_text(staging.good)
    _commit(staging)
    _type(staging, state["command"])
    assert _status(staging)["states"] == []


def test_a_rollback_that_is_unfinished(content: Service) -> None:
    """Traffic is back; Terraform has to follow."""
    serving, *earlier = [each for each in content.releases() if each["outcome"] == "succeeded"]
    other = next(each for each in earlier if each["version"] != serving["version"])
    word = ("--reason", "the drill")
    content.must("rollback", "--to", str(other["release"]), "--only", "traffic", *word)
    _type(content, _named(content, "rollback-unfinished")["command"])
    assert content.live() == (other["version"], {})


def test_what_serves_is_in_quarantine(content: Service) -> None:
    """As a rollback leaves it that died before it took the bundle out."""
    newest = content.releases()[0]
    content.client("s3").put_object(
        Bucket=ARTIFACTS,
        Key=f"quarantine/local/{newest['bundle']}.json",
        Body=json.dumps({"actor": "ada", "began": newest["began"], "reason": "slow"}).encode(),
    )
    state = _named(content, "live-quarantined")
    assert ": slow" in state["sentence"]
    _type(content, state["command"])
