"""Collect the data of the release page: ledger, manifests, quarantine, live, the log."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from urllib.parse import quote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.bundle import store
from pipeline.bundle.manifest import Manifest
from pipeline.config import Environment
from pipeline.errors import BundleError
from pipeline.release import ledger, observation, quarantine, rollback_target, state
from pipeline.release.ledger import Ledger, Release
from pipeline.release.serving import Serving
from pipeline.release.state import State
from pipeline.report.release_page import figures, source_diff
from pipeline.report.release_page.source_diff import FileDifference
from pipeline.target import Target
from pipeline.traffic.statistics import Figures

# Concurrent requests to S3.
_BUNDLES_AT_A_TIME = 8
# The source of so many releases, the newest, is compared; it is of this size at most.
_COMPARED = 20
_COMPARED_BYTES = 4_000_000


@dataclass(frozen=True)
class ReleaseHistory:
    """What is known of an environment's releases, the newest first.

    `found` is what serves by the alias and by the ledger, `states` what needs a person, `way_back`
    the number of the release that a rollback would restore now. `manifests` are those of bundles
    that are whole in the store, and `quarantined` has why a bundle is in quarantine, both by the
    bundle's id. `figures` are those of releases with calls in the log, by number; it was read
    `hours` back. `source` has what differs in the source of a release and the one that served
    before it, by the release's number. `links` are addresses by name: `api`, `log`, `dashboard`.
    """

    environment: Environment
    made: str
    found: Serving
    states: Sequence[State]
    releases: tuple[Release, ...]
    way_back: int | None
    manifests: Mapping[str, Manifest]
    quarantined: Mapping[str, str]
    figures: Mapping[int, Figures]
    hours: float
    source: Mapping[int, Sequence[FileDifference]]
    links: Mapping[str, str]

    @property
    def serving(self) -> Release | None:
        """The release that serves by the ledger."""
        return self.found.release


def collect(target: Target, hours: float) -> ReleaseHistory:
    """Read all data of the page from AWS."""
    seen = observation.observe(target)
    releases = tuple(Ledger(target).releases())
    # One release stands for all of its bundle.
    bundles = {release.bundle: release for release in releases}
    manifests = _manifests(target, bundles)
    return ReleaseHistory(
        environment=target.environment,
        made=ledger.now(),
        found=seen.serving,
        states=state.find(seen),
        releases=releases,
        way_back=seen.restorable.number if seen.restorable else None,
        manifests=manifests,
        quarantined=quarantine.reasons(target, bundles),
        figures=figures.read(target, releases, hours),
        hours=hours,
        source=_source(target, releases, manifests),
        links=_links(target, seen.applied.api_url if seen.applied else None),
    )


def _manifests(target: Target, bundles: Mapping[str, Release]) -> dict[str, Manifest]:
    with ThreadPoolExecutor(_BUNDLES_AT_A_TIME) as pool:
        found = pool.map(
            lambda release: rollback_target.manifest_of(target.aws, release), bundles.values()
        )
        return {bundle: item for bundle, item in zip(bundles, found, strict=True) if item}


def _source(
    target: Target, releases: Iterable[Release], manifests: Mapping[str, Manifest]
) -> dict[int, Sequence[FileDifference]]:
    """Compare the source of the newest releases with that of the release before each."""
    archive = cache(lambda bundle: _function_zip(target, manifests.get(bundle)))
    compared: dict[int, Sequence[FileDifference]] = {}
    for release, before in islice(with_predecessors(releases), _COMPARED):
        if release.bundle != before.bundle:
            new, old = archive(release.bundle), archive(before.bundle)
            if new and old:
                compared[release.number] = source_diff.compare(old, new)
    return compared


def with_predecessors(releases: Iterable[Release]) -> Iterable[tuple[Release, Release]]:
    """Yield each release with the newest one before it that succeeded; both newest first."""
    waiting: list[Release] = []
    for release in releases:
        if release.outcome == "succeeded":
            yield from ((later, release) for later in waiting)
            waiting = []
        waiting.append(release)


def _function_zip(target: Target, manifest: Manifest | None) -> bytes | None:
    """Return the function's package, or None if it is not whole, or too large to compare."""
    if manifest is None or manifest.function.unzipped_bytes > _COMPARED_BYTES:
        return None
    try:
        archive = store.function_zip(target.aws, manifest)
        return archive if zipfile.is_zipfile(io.BytesIO(archive)) else None
    except (BundleError, ClientError, BotoCoreError):
        return None


def _links(target: Target, api_url: str | None) -> dict[str, str]:
    """Return where callers reach the API and, on AWS, the pages of CloudWatch's console."""
    links = {"api": api_url} if api_url else {}
    region, function = target.aws.region, target.function
    host = urlsplit(function.client.meta.endpoint_url).hostname
    if host == f"lambda.{region}.amazonaws.com":
        console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        # The console decodes the fragment twice, and has "$" in the place of "%".
        group = quote(quote(target.environment.log_group, safe=""), safe="").replace("%", "$")
        links["log"] = f"{console}#logsV2:log-groups/log-group/{group}"
        links["dashboard"] = f"{console}#dashboards/dashboard/{function.name}"
    return links
