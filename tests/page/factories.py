"""Invented histories of an environment, for the release page, without AWS."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.report.release_page import data, html
from pipeline.bundle.manifest import File, Manifest, Package, sha256_hex
from pipeline.config import Environment
from pipeline.release.ledger import Release
from pipeline.traffic.statistics import Figures
from pipeline.release import serving
from pipeline.release.serving import Serving
from pipeline.report.release_page.collect import ReleaseHistory, with_predecessors
from pipeline.report.release_page.source_diff import FileDifference
from pipeline.timeline import Phase
from pipeline.traffic.alias import Live

PRODUCTION = Environment("production")
_FIRST = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
_LAYER_FILES = 200
# A new layer comes with every so many releases.
_LAYER_EVERY = 25
_NAMES = ("inspect", "store", "plan", "apply", "call", "canary", "switch", "record")
_REASONS = (
    "Answer sooner while the database stays away",
    "Merge pull request #118 from team/longer-names: allow longer names of collections",
    "Count what a caller matched",
    "pymongo 4.20.0",
)
_PEOPLE = ("ada", "grace", "linus-with-a-rather-long-name")


def _file(path: str, content: str) -> File:
    return File(path, 400 + int(sha256_hex(content.encode())[:3], 16), sha256_hex(content.encode()))


def _package(name: str, files: list[File]) -> Package:
    size = sum(file.size_bytes for file in files) // 3
    digest = sha256_hex("".join(file.sha256 for file in files).encode())
    return Package(name, size, digest, tuple(files))


def manifest(release: int, **more: Any) -> Manifest:
    """Return the manifest of the bundle that the deployment of this number brought."""
    layer = (release - 1) // _LAYER_EVERY
    made = Manifest(
        _package("lambda_function.zip", [_file("lambda_function.py", f"handler {release}")]),
        _layer(layer),
        *("lock", "lambda_function.lambda_handler", "python3.13", "x86_64"),
        sha256_hex(f"commit {release}".encode())[:40],
        *("recipe", {"dnspython": "2.9.2", "pymongo": f"4.{19 + layer}.0"}),
    )
    return replace(made, **more)


@cache
def _layer(layer: int) -> Package:
    files = [
        # With each layer, every tenth file changes; one comes, and one goes.
        _file(f"python/pymongo/part_{number:03}.py", f"{number} {layer if number % 10 == 0 else 0}")
        for number in range(_LAYER_FILES)
        if number != 101 + layer
    ]
    return _package("pymongo-layer.zip", files)


@cache
def _bundle(release: int) -> str:
    """Return the id of the bundle that the deployment of this number brought."""
    return manifest(release).id


def figures(number: int, invocations: int = 1000) -> Figures:
    return Figures(
        invocations=invocations,
        errors=number * 7 % 5,
        unknown=0,
        duration_p50_ms=3.1,
        duration_p95_ms=9.0,
        memory_used_mb=88,
        cold_starts=12,
        init_duration_p50_ms=140.0 + number * 13 % 40,
    )


def release(number: int, **more: Any) -> Release:
    """Return a deployment that succeeded, with the fields of `more` instead of its own."""
    began = _FIRST + timedelta(hours=7 * number)
    made = Release(
        number=number,
        kind="deploy",
        outcome="succeeded",
        bundle=_bundle(number),
        version=str(number),
        restores=None,
        began=began.isoformat(timespec="milliseconds"),
        ended=(began + timedelta(seconds=83)).isoformat(timespec="milliseconds"),
        actor=_PEOPLE[number % len(_PEOPLE)],
        commit=manifest(number).commit,
        subject=f"Subject of the commit of {number}",
        run=f"https://github.com/octo-org/mongo-client/actions/runs/{number}",
        reason=_REASONS[number % len(_REASONS)],
        plan_sha256="00" * 32,
        phases=tuple(Phase(name, 0.4 + 3.1 * place) for place, name in enumerate(_NAMES)),
    )
    return replace(made, **more)


def history(count: int) -> list[Release]:
    """Return so many releases, the newest first; the last one is a deployment that serves.

    Of every eight the sixth failed, and the seventh rolled back to the fourth; the fifth was
    rolled back, then.
    """
    releases = []
    for number in range(1, count + 1):
        place = number % 8
        if place == 6:
            error = "the canary is worse: errors 12 of 400, live 0 of 3,600"
            made = release(number, outcome="failed", error=error)
        elif place == 7 and number > 8:
            back = number - 3
            made = release(number, kind="rollback", restores=back, version=str(back))
            made = replace(made, bundle=_bundle(back), reason="checkout fails")
        else:
            made = release(number, overrides=("all at once",) if place == 1 else ())
        releases.append(made)
    return releases[::-1]


def page_history(releases: list[Release], **more: Any) -> ReleaseHistory:
    """Return the facts of a history whose older half the log has forgotten."""
    current = next((each for each in releases if each.outcome == "succeeded"), None)
    earlier = [each for each in releases if each.outcome == "succeeded" and each != current]
    left = [each.number - 2 for each in releases if each.kind == "rollback"]
    manifests = {_bundle(each.number): manifest(each.number) for each in releases}
    made = ReleaseHistory(
        environment=PRODUCTION,
        made=(_FIRST + timedelta(hours=7 * len(releases) + 1)).isoformat(),
        found=found(releases, Live(current.version or "", (), "revision") if current else None),
        states=(),
        releases=tuple(releases),
        way_back=earlier[0].number if earlier else None,
        manifests=manifests,
        quarantined={
            _bundle(number): (
                f"bundle {_bundle(number)[:12]} was rolled back in production by ada at "
                f"{release(number + 2).began}: checkout fails"
            )
            for number in left
        },
        figures={each.number: figures(each.number) for each in releases[: len(releases) // 2 + 1]},
        hours=720,
        source={
            each.number: [
                FileDifference("lambda_function.py", 8, 1, ("@@ -1 +1 @@", "-old", "+new"))
            ]
            for each, before in with_predecessors(releases)
            if each.bundle != before.bundle
        },
        links={"api": "https://api.example.com"},
    )
    return replace(made, **more)


def found(releases: list[Release], live: Live | None) -> Serving:
    """Return what serves, where no release is under way but the newest."""
    return serving.explain(live, releases, alive=True)


def written(folder: Path, page_history: ReleaseHistory) -> Path:
    """Write the page of these facts, as the command does."""
    path = folder / "index.html"
    path.write_text(html.page(page_history.environment, data.document(page_history)), "utf-8")
    return path
