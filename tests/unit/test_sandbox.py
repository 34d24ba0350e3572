"""The report of the throw-away account: what counts as different, and what it shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from scratch.sandbox import Sandbox, trusting
from scratch.sandbox_report import (
    AFTER_CHANGE,
    BOOTSTRAP,
    BOOTSTRAP_AGAIN,
    CHANGE,
    CUT_OFF,
    DESTROY,
    DESTROY_ACCOUNT,
    PROMOTION,
    RELEASE,
    RELEASE_AGAIN,
    STEPS,
    Seen,
    Step,
    difference,
    differs,
    report,
)
from scratch.source import ROOT

_GOOD = Seen(0, stdout="No changes.\n", stderr="No changes.\n")
_ALL = {step.name: _GOOD for step in STEPS} | {RELEASE_AGAIN.name: Seen(0, "nothing to do: …")}


@pytest.mark.parametrize(
    ("step", "seen", "expected"),
    [
        (BOOTSTRAP, Seen(0, stderr="+ aws_iam_role.github\n"), ""),
        (BOOTSTRAP, Seen(1, stderr="AccessDenied"), "failed with exit status 1"),
        (BOOTSTRAP, None, "not reached"),
        (BOOTSTRAP, CUT_OFF, "failed with exit status 1"),
        (BOOTSTRAP_AGAIN, Seen(0, "account 1 is ready", "No changes.\n"), ""),
        (BOOTSTRAP_AGAIN, Seen(0, "", "  ~ aws_s3_bucket.pipeline\n"), "succeeded, with changes"),
        (RELEASE_AGAIN, Seen(0, "nothing to do: staging serves bundle c0ffee already\n"), ""),
        (RELEASE_AGAIN, Seen(0, "release #2: staging serves bundle"), "there was something to do"),
        (AFTER_CHANGE, Seen(0, "No changes.\n"), ""),
        (AFTER_CHANGE, Seen(0, "  ~ aws_lambda_alias.live: name\n"), "the plan is not empty"),
        (AFTER_CHANGE, Seen(0, "No changes.\nlive was moved\n"), "the plan is not empty"),
        (AFTER_CHANGE, Seen(1, "No changes.\n"), "failed with exit status 1"),
    ],
)
def test_what_is_different(step: Step, seen: Seen | None, expected: str) -> None:
    assert difference(step, seen) == expected


def test_an_account_that_does_as_expected_is_reported_as_such() -> None:
    assert not differs(_ALL)
    lines = report("1", _ALL).splitlines()
    assert lines[0] == "## Account 1: as expected"
    assert sum(line.endswith("| same |") for line in lines) == len(STEPS)
    assert "different" not in report("1", _ALL) and "```" not in report("1", _ALL)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_each_step_has_to_be_done(step: Step) -> None:
    assert differs({name: seen for name, seen in _ALL.items() if name != step.name})
    assert differs(_ALL | {step.name: Seen(1)})


def test_differences_are_reported_with_the_end_of_the_output() -> None:
    refused = Seen(1, "a line\n" * 50, "error[aws]: AccessDenied: not authorized\n")
    text = report("1", _ALL | {CHANGE.name: refused})
    assert text.startswith(f"## Account 1: 1 of {len(STEPS)} steps differ\n")
    row = "| staging-deploy | succeeds | failed with exit status 1 | **different** |"
    assert f"| {CHANGE.name} {row}" in text
    assert "AccessDenied: not authorized\n```" in text and text.count("a line") == 39


def test_no_credential_is_printed() -> None:
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    assert key not in report("1", _ALL | {CHANGE.name: Seen(1, stderr=f"with {key}")})


def test_a_role_keeps_its_trust_and_gets_the_accounts() -> None:
    trust = {"Version": "2012-10-17", "Statement": [{"Action": "sts:AssumeRoleWithWebIdentity"}]}
    first = trusting(trust, "123456789012")
    assert first["Statement"][0] == trust["Statement"][0] and len(first["Statement"]) == 2
    assert first["Statement"][1]["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    assert trusting(first, "123456789012") == first


def _sandbox(folder: Path, *done: Step) -> Sandbox:
    """Return a sandbox in which some steps were done, and no role can be assumed."""

    def refuse(role: str) -> dict[str, str]:
        refused = {"Error": {"Code": "AccessDenied", "Message": f"not {role}"}}
        raise ClientError(refused, "AssumeRole")  # type: ignore[arg-type]

    (folder / "project").mkdir()
    seen = {step.name: asdict(_GOOD) for step in done}
    (folder / "seen.json").write_text(json.dumps(seen))
    return Sandbox(folder, "123456789012", "octo-org/mongo-client", "1234/5678", refuse)


def test_a_role_that_aws_refuses_is_reported(tmp_path: Path) -> None:
    sandbox = _sandbox(tmp_path, BOOTSTRAP, RELEASE)
    sandbox.destroy()
    assert "not staging-deploy" in sandbox.seen()[DESTROY.name].stderr
    assert difference(DESTROY, sandbox.seen()[DESTROY.name])


@pytest.mark.parametrize("release", [RELEASE, PROMOTION])
def test_the_accounts_part_stays_while_a_release_is_left(tmp_path: Path, release: Step) -> None:
    """Else the state of what is left would be destroyed with its bucket."""
    sandbox = _sandbox(tmp_path, BOOTSTRAP, release)
    sandbox.destroy()
    assert DESTROY_ACCOUNT.name not in sandbox.seen()


def test_the_accounts_part_goes_if_nothing_was_released(tmp_path: Path) -> None:
    sandbox = _sandbox(tmp_path, BOOTSTRAP)
    sandbox.destroy()
    assert DESTROY.name not in sandbox.seen() and DESTROY_ACCOUNT.name in sandbox.seen()


def test_a_step_that_is_cut_off_has_begun(tmp_path: Path) -> None:
    """A release that did not end has made something, too, which is to be destroyed."""

    def stop(role: str) -> dict[str, str]:
        raise KeyboardInterrupt

    sandbox = _sandbox(tmp_path)
    sandbox.settings = stop
    with pytest.raises(KeyboardInterrupt):
        sandbox.destroy()
    assert sandbox.seen() == {DESTROY_ACCOUNT.name: CUT_OFF}


def test_without_a_step_the_report_fails(tmp_path: Path) -> None:
    """As on GitHub, if what comes before the steps has failed."""
    done = subprocess.run(
        [sys.executable, "-m", "scratch.sandbox", "report", str(tmp_path), "123456789012"],
        cwd=ROOT,
        env=os.environ
        | {
            "GITHUB_REPOSITORY": "octo-org/mongo-client",
            "GITHUB_REPOSITORY_ID": "5678",
            "GITHUB_REPOSITORY_OWNER_ID": "1234",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stdout.count("not reached") == len(STEPS)
