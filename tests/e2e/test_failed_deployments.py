"""A deployment fails, or loses against a person: live stays good, and the next one works."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support import http
from tests.support.service import Service

pytestmark = pytest.mark.extended

_FAILS = '\n\ndef lambda_handler(event, context):\n    raise OSError("bad")\n'


@pytest.fixture(scope="module")
def service(
    quick_cloud: dict[str, str], built_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """A service that has been released."""
    folder = tmp_path_factory.mktemp("failed") / "project"
    service = Service.copy_to(folder, quick_cloud, built_bundle)
    service.must("deploy", "--bundle", str(built_bundle))
    return service


def test_a_version_that_fails_its_check_gets_no_traffic_and_the_next_one_works(
    service: Service,
) -> None:
    """The version is called by its number first; no caller notices; the ledger says why."""
    before, _ = service.live()
    service.build("broken", _FAILS)
    service.build("good", "GOOD = 1")
    with http.calling(service.project.environment["API_URL"]) as answers:
        failed = service.run("deploy", "--bundle", "broken")
        assert service.live() == (before, {})
        known = set(answers)
        service.must("deploy", "--bundle", "good")
    assert failed.returncode == 1
    assert "error[check-failed]" in failed.stderr and "OSError" in failed.stderr
    good, broken, _ = service.releases()
    assert broken["outcome"] == "failed" and "OSError" in broken["error"]
    assert f"\ntraffic: unchanged: v{before} serves all of it\n" in failed.stderr
    logs = f"python -m pipeline logs --environment local --version {broken['version']}"
    assert f"\nrun: {logs}\n" in failed.stderr
    assert good["outcome"] == "succeeded" and service.live() == (good["version"], {})
    assert known == {before} and set(answers) <= {before, good["version"]}


def test_a_person_who_moves_live_concurrently_wins(service: Service) -> None:
    """The deployment says so, changes no traffic, and is recorded as failed."""
    functions = service.client("lambda")
    before, _ = service.live()
    listed = functions.list_versions_by_function(FunctionName=service.function_name)["Versions"]
    [other, *_] = {each["Version"] for each in listed} - {"$LATEST", before}
    service.build("bundle", "RACE = 1")
    with service.running("deploy", "--bundle", "bundle") as process:
        process.wait_for("smoke")
        process.popen.send_signal(signal.SIGSTOP)
        functions.update_alias(
            FunctionName=service.function_name, Name="live", FunctionVersion=other
        )
        process.popen.send_signal(signal.SIGCONT)
        assert process.wait() == 1
    assert "error[lost-race]" in process.stderr and f"v{other}" in process.stderr
    moved = f"\ntraffic: moved by somebody else: v{other} serves all of it\n"
    assert moved in process.stderr
    assert service.live() == (other, {})
    assert service.releases()[0]["outcome"] == "failed"
