"""inspect: what it says of a bundle, to whom, and with which exit status."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import inspect
from pipeline.inspection import inspector
from pipeline.bundle.manifest import Bundle
from pipeline.errors import BundleError, InspectionError, UsageError
from pipeline.config import LAYER_PACKAGE, MANIFEST, ROOT, Allowed
from pipeline.inspection.manifest import check_runtime
from pipeline.runtimes import RUNTIMES
from tests.unit.inspection.malicious_zip import HANDLER, Item, sound

TODAY = datetime.date(2026, 11, 23)


@pytest.fixture(autouse=True)
def _fixed_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command run on the same day for ever, and not on GitHub."""
    monkeypatch.setattr(inspector, "today", lambda: TODAY)
    monkeypatch.setattr(inspect, "today", lambda: TODAY)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A bundle whose handler does not compile, and whose layer holds a link."""
    draft = sound()
    draft.item(HANDLER).content = b"import pymongo\ndef lambda_handler(:\n"
    draft.layer.append(Item("python/pymongo/link", b"/etc/passwd", mode=0o120777))
    return draft.write(tmp_path / "bad")


def test_the_real_bundle_passes(built_bundle: Path) -> None:
    """What build makes has no findings; the report has sizes, limits and dates."""
    result = _inspect(built_bundle)
    assert result.exit_code == 0, result.output
    bundle = Bundle.read(built_bundle)
    assert f"bundle   {bundle.id}" in result.stdout
    assert "function lambda_function.lambda_handler on python3.13, x86_64\n" in result.stdout
    assert "AWS deprecates python3.13 on 2029-06-30" in result.stdout
    for package in bundle.manifest.packages():
        assert f"{package.unzipped_bytes:,}" in result.stdout
    assert result.stdout.endswith("no findings\n")


def test_the_real_bundle_as_json(built_bundle: Path) -> None:
    """Machines get the same facts, in one document."""
    result = _inspect(built_bundle, "--json")
    document = json.loads(result.stdout)
    manifest = Bundle.read(built_bundle).manifest
    assert result.exit_code == 0
    assert document["bundle"] == manifest.id
    assert document["clean"] is True
    assert document["findings"] == []
    unzipped = sum(package.unzipped_bytes for package in manifest.packages())
    assert document["facts"] == {
        "handler": manifest.handler,
        "architecture": manifest.architecture,
        "runtime": manifest.runtime,
        "runtime_deprecated": "2029-06-30",
        "runtime_updates_blocked": "2029-08-31",
        "packages": [
            {
                "name": package.name,
                "files": len(package.files),
                "size_bytes": package.size_bytes,
                "unzipped_bytes": package.unzipped_bytes,
            }
            for package in manifest.packages()
        ],
        "unzipped_bytes": unzipped,
        "unzipped_limit_bytes": 262_144_000,
        "unzipped_limit_percent": round(unzipped / 2_621_440, 2),
    }
    assert document["allowed"] == []


def test_a_bundle_that_passes_is_accepted_by_the_other_commands(tmp_path: Path) -> None:
    """Both readers of a manifest agree on what it says, and on its id."""
    folder = sound().write(tmp_path / "b")
    report = inspector.inspect_bundle(folder, TODAY)
    assert report.findings == ()
    assert report.bundle_id == Bundle.read(folder).id


def test_findings_are_listed_with_place_and_remedy(bad: Path) -> None:
    """Each finding has its rule, package, entry and line, and a hint."""
    result = _inspect(bad)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    compiles = "does-not-compile  lambda_function.zip:lambda_function.py:2  invalid syntax"
    assert lines[lines.index(compiles) + 1] == "    Correct the source."
    link = "special-file  pymongo-layer.zip:python/pymongo/link  it is a symbolic link"
    assert lines[lines.index(link) + 1] == "    Replace it by a regular file."
    assert lines[-1] == "2 findings"
    assert isinstance(result.exception, InspectionError)
    assert "2 findings" in result.exception.message
    assert "does-not-compile, special-file" in result.exception.message


def test_findings_as_json(bad: Path) -> None:
    """Standard output is one JSON document, whether there are findings or not."""
    result = _inspect(bad, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["clean"] is False
    assert document["findings"][0] == {
        "rule": "does-not-compile",
        "package": "lambda_function.zip",
        "path": "lambda_function.py",
        "line": 2,
        "message": "invalid syntax",
        "hint": "Correct the source.",
    }


def test_findings_become_annotations_on_github(bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub shows each finding, at its line of the handler where it has one; JSON stays whole."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = _inspect(bad, "--json")
    json.loads(result.stdout)
    first, second = result.stderr.splitlines()
    assert first.startswith("::error file=lambda_function.py,line=2::does-not-compile")
    assert second.startswith("::error::special-file")


def test_the_program_exits_with_status_1_if_there_are_findings(bad: Path) -> None:
    """A shell, or a workflow, stops at a bundle with findings, and reads which rules it breaks."""
    done = _run("inspect", str(bad))
    assert done.returncode == 1
    assert "error[inspection-failed]" in done.stderr
    assert "does-not-compile, special-file" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_a_manifest_is_a_clear_error(tmp_path: Path, exists: bool) -> None:
    """Where there is no bundle, there is nothing to inspect, and a way to make one."""
    folder = tmp_path if exists else tmp_path / "nowhere"
    with pytest.raises(BundleError, match="has no bundle") as error:
        inspector.inspect_bundle(folder, TODAY)
    assert f"python -m pipeline build --out {folder}" in error.value.command


def test_the_bundle_that_was_built_is_no_other(tmp_path: Path) -> None:
    """Before a deployment: only the whole id that the build printed is accepted."""
    folder = sound().write(tmp_path / "b")
    bundle_id = Bundle.read(folder).id
    assert _inspect(folder, "--expect", bundle_id).exit_code == 0
    for other in ("0" * 64, bundle_id[:12], bundle_id.upper(), ""):
        result = _inspect(folder, "--expect", other)
        assert result.exit_code == 1 and isinstance(result.exception, BundleError)
        assert f"expected bundle {other}, found {bundle_id}" in result.exception.message
        assert "Do not deploy it" in result.exception.hint


def test_a_bundle_that_was_changed_is_not_the_expected_one(tmp_path: Path) -> None:
    """A manifest keeps its id only with its content, and a package only with its manifest."""
    folder = sound().write(tmp_path / "b")
    bundle_id = Bundle.read(folder).id
    manifest = folder / MANIFEST
    text = manifest.read_text()
    manifest.write_text(text.replace("python3.13", "python3.12"))
    result = _inspect(folder, "--expect", bundle_id)
    assert isinstance(result.exception, BundleError)
    manifest.write_text(text)
    (folder / LAYER_PACKAGE).write_bytes((folder / LAYER_PACKAGE).read_bytes() + b"x")
    result = _inspect(folder, "--expect", bundle_id)
    assert isinstance(result.exception, InspectionError)


def test_nothing_of_a_secret_is_repeated(tmp_path: Path) -> None:
    """A report is read by many: it says where the secret is, not what it is."""
    secret = b"hunter2" + b"correcthorse"
    draft = sound()
    draft.item(HANDLER).content += b"URI = 'mongodb://app:" + secret + b"@db.internal/'\n"
    folder = draft.write(tmp_path / "b")
    for options in ((), ("--json",)):
        result = _inspect(folder, *options)
        assert "credential: password in a URI" in result.stdout
        assert "hunter2" not in result.output + str(result.exception)


def test_a_finding_can_be_allowed_where_it_stands(
    bad: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was reviewed is listed with its reason, and stops nothing; all others do."""
    link = Allowed("special-file", "python/pymongo/link", "its link stays in the layer")
    monkeypatch.setattr(inspector, "ALLOWED", (link,))
    result = _inspect(bad)
    assert "allowed: special-file  pymongo-layer.zip:python/pymongo/link" in result.stdout
    assert "\n    its link stays in the layer\n1 finding\n" in result.stdout
    document = json.loads(_inspect(bad, "--json").stdout)
    assert [finding["rule"] for finding in document["findings"]] == ["does-not-compile"]
    assert document["allowed"][0]["reason"] == "its link stays in the layer"
    source = Allowed("does-not-compile", "lambda_function.py", "it is not released")
    monkeypatch.setattr(inspector, "ALLOWED", (link, source))
    assert _inspect(bad).exit_code == 0
    monkeypatch.setattr(inspector, "ALLOWED", (Allowed("special-fil", "python/a", "why"),))
    result = _inspect(bad)
    assert isinstance(result.exception, UsageError)
    assert "unknown rule special-fil" in result.exception.message


def test_a_credential_in_function_toml_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the bodies of the first calls, which somebody may have tried with a real key."""
    function_file = tmp_path / "function.toml"
    function_file.write_bytes(b"[[smoke]]\nbody = { token = 'ghp_" + b"aB3d" * 9 + b"' }\n")
    monkeypatch.setattr(inspector, "FUNCTION_FILE", function_file)
    result = _inspect(sound().write(tmp_path / "b"))
    assert "credential  function.toml:2  it holds what looks like a credential" in result.stdout


def test_names_in_a_package_cannot_act_on_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a terminal or GitHub would obey is escaped."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    draft = sound()
    draft.layer.append(Item("python/\x1b[2J\n::add-mask::e\u202e.py"))
    draft.values = {"runtime": "\x1b]0;owned\x07\ud800"}
    result = _inspect(draft.write(tmp_path / "b"))
    assert result.exit_code == 1
    assert "python/\\x1b[2J\\n::add-mask::e\\u202e.py" in result.output
    assert not set(result.output) & set("\x1b\x07\u202e\ud800")
    assert "\n::add-mask::" not in result.output


def test_require_clean_lets_a_sound_bundle_pass(built_bundle: Path) -> None:
    """deploy goes on with a bundle that has nothing wrong with it."""
    inspector.require_clean(Bundle.read(built_bundle))


def test_require_clean_names_what_it_refuses(bad: Path) -> None:
    """deploy stops at a bundle with findings, and lists all of them."""
    with pytest.raises(InspectionError) as error:
        inspector.require_clean(Bundle.read(bad))
    assert "does-not-compile, special-file" in error.value.message
    assert "pymongo-layer.zip:python/pymongo/link" in error.value.hint


@pytest.mark.parametrize(
    ("name", "day", "rules"),
    [
        ("python3.13", datetime.date(2028, 12, 31), []),
        ("python3.13", datetime.date(2029, 1, 1), ["runtime-deprecated"]),
        ("python3.13", datetime.date(2029, 8, 30), ["runtime-deprecated"]),
        ("python3.13", datetime.date(2029, 8, 31), ["runtime-blocked"]),
        ("python3.12", datetime.date(2028, 5, 3), []),
        ("python3.12", datetime.date(2028, 5, 4), ["runtime-deprecated"]),
        ("python3.12", datetime.date(2029, 1, 10), ["runtime-blocked"]),
        ("python3.9", datetime.date(2026, 9, 29), ["runtime-deprecated"]),
        ("python3.9", datetime.date(2026, 9, 30), ["runtime-blocked"]),
        ("nodejs22.x", datetime.date(2026, 9, 30), ["unknown-runtime"]),
    ],
)
def test_a_runtime_is_refused_180_days_before_its_end(
    name: str, day: datetime.date, rules: list[str]
) -> None:
    """There is half a year to move to another runtime, and no way to be surprised."""
    assert [finding.rule.id for finding in check_runtime(name, day, MANIFEST)] == rules


def test_runtimes_are_deprecated_before_they_are_blocked() -> None:
    """The table of runtimes agrees with itself."""
    for name, runtime in RUNTIMES.items():
        assert name == f"python{runtime.python[0]}.{runtime.python[1]}"
        assert runtime.deprecated < runtime.updates_blocked


def _inspect(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(inspect.command, [str(folder), *options])


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
