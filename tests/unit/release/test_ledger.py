"""The ledger: append-only, the newest found at once, two writers never both win."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice

import pytest
from botocore.exceptions import EndpointConnectionError

from pipeline import aws
from pipeline.release import lease, ledger
from pipeline.aws import Aws
from pipeline.bundle.manifest import Manifest, Package
from pipeline.config import Environment
from pipeline.errors import AwsError, LostRaceError
from pipeline.release.ledger import Ledger, Release
from pipeline.target import Target

_STAGING = Environment("staging")
_PACKAGE = Package("x.zip", 1, "00" * 32, ())
_MANIFEST = Manifest(
    *(_PACKAGE, _PACKAGE, "lock", "a.b", "python3.13", "x86_64", "c0ffee", "recipe"), {}
)


def _release(newest: Release | None = None) -> Release:
    return ledger.next_release(newest, "deploy", _MANIFEST, reason=None)


def _add(account: Aws, outcome: ledger.Outcome = "succeeded") -> Release:
    """Add one release, from its beginning to its end."""
    records = Ledger(Target(account, _STAGING))
    release = _release(records.newest())
    records.begin(release)
    ended = replace(release, outcome=outcome, ended=ledger.now())
    records.end(ended)
    return ended


def test_releases_come_newest_first_over_many_pages(account: Aws) -> None:
    """The newest one is found with one list call and one read, however long the history is."""
    added = [_add(account) for _ in range(25)]
    records = Ledger(Target(account, _STAGING))
    assert list(records.releases()) == added[::-1]
    assert len(list(islice(records.releases(), 3))) == 3
    calls: list[str] = []
    account.s3.meta.events.register("before-call.s3", lambda model, **_: calls.append(model.name))
    assert records.newest() == added[-1]
    assert calls == ["ListObjectsV2", "GetObject"]


def test_environments_have_ledgers_of_their_own(account: Aws) -> None:
    _add(account)
    assert Ledger(Target(account, Environment("production"))).newest() is None


def test_of_two_that_begin_at_once_one_wins(account: Aws) -> None:
    """The error names the other one, and nothing is left behind."""
    release, records = _release(), Ledger(Target(account, _STAGING))
    records.begin(release)
    with pytest.raises(
        LostRaceError, match=f"under way: release #1 .*, by {release.actor}"
    ) as refused:
        Ledger(Target(account, _STAGING)).begin(replace(release, actor="somebody"))
    assert "stop it where it runs, which puts live back" in refused.value.hint
    with pytest.raises(LostRaceError, match="release #1"):
        _release(records.newest())
    [found] = Ledger(Target(account, _STAGING)).releases()
    assert found == release
    records.end(replace(release, outcome="succeeded"))


def test_one_that_looked_before_another_began_and_ended_has_lost(account: Aws) -> None:
    """Two that plan at once: the second to begin learns of the first, though that is done."""
    before = _add(account)
    late, first = _release(before), _add(account)
    with pytest.raises(LostRaceError, match=f"a deployment is under way: release #{first.number}"):
        Ledger(Target(account, _STAGING)).begin(late)
    assert Ledger(Target(account, _STAGING)).newest() == first


def test_what_cannot_be_recorded_is_an_error(account: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what became of the release, and who will close it."""
    records, release = Ledger(Target(account, _STAGING)), _release()
    records.begin(release)
    monkeypatch.setattr(aws, "_PAUSES_S", (0,))

    def refuse(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="s3")

    account.s3.meta.events.register("before-send.s3", refuse)
    with pytest.raises(AwsError, match="release #1 failed, but the ledger could not be written"):
        records.end(replace(release, outcome="failed"))


def test_one_that_is_under_way_is_not_disturbed(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later command waits for its next sign of life, and is refused."""
    monkeypatch.setattr(lease, "_RENEWED_EVERY_S", 0.2)
    monkeypatch.setattr(lease, "_LOOKED_AT_EVERY_S", 0.1)
    first, records = replace(_release(), run="https://run/7"), Ledger(Target(account, _STAGING))
    records.begin(first)
    with pytest.raises(LostRaceError, match="is under way") as refused:
        Ledger(Target(account, _STAGING)).close_what_died()
    assert "cancel its run (https://run/7), which puts live back" in refused.value.hint
    assert Ledger(Target(account, _STAGING)).newest() == first
    records.end(replace(first, outcome="succeeded"))


def test_one_that_died_is_closed_as_interrupted(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its lease has run out, the next command says so in the ledger and goes on."""
    monkeypatch.setattr(lease, "_EXPIRES_AFTER_S", 3)
    monkeypatch.setattr(lease, "_RENEWED_EVERY_S", 600)
    monkeypatch.setattr(lease, "_LOOKED_AT_EVERY_S", 0.1)
    dead = _release()
    Ledger(Target(account, _STAGING)).begin(dead)
    closed = Ledger(Target(account, _STAGING)).close_what_died()
    assert closed and (closed.number, closed.outcome) == (1, "interrupted")
    assert Ledger(Target(account, _STAGING)).newest() == closed
    assert Ledger(Target(account, _STAGING)).close_what_died() == closed


def test_one_that_ended_is_not_closed(account: Aws) -> None:
    ended = _add(account, "failed")
    assert Ledger(Target(account, _STAGING)).close_what_died() == ended
    assert Ledger(Target(account, _STAGING)).newest() == ended


def test_one_that_was_closed_cannot_end_otherwise(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the ledger says once, it says for good."""
    monkeypatch.setattr(lease, "_EXPIRES_AFTER_S", -1)
    slow, records = _release(), Ledger(Target(account, _STAGING))
    records.begin(slow)
    assert Ledger(Target(account, _STAGING)).close_what_died()
    with pytest.raises(LostRaceError, match="closed as interrupted"):
        records.end(replace(slow, outcome="succeeded", ended=ledger.now()))


def test_what_serves_is_the_newest_that_succeeded(account: Aws) -> None:
    good = _add(account)
    _add(account, "failed")
    assert Ledger(Target(account, _STAGING)).serving() == good


def test_an_entry_is_json_that_names_everything(account: Aws) -> None:
    _add(account)
    bucket = account.artifact_bucket
    keys = [item["Key"] for item in account.s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert "ledger/staging/999998/begin.json" in keys
    body = account.s3.get_object(Bucket=bucket, Key="ledger/staging/999998/end.json")["Body"]
    entry = json.loads(body.read())
    assert entry["bundle"] == _MANIFEST.id and entry["commit"] == "c0ffee"


def _restored(account: Aws) -> Release:
    """Add a rollback that has restored the traffic, and that Terraform has to follow."""
    records = Ledger(Target(account, _STAGING))
    begun = replace(_release(records.newest()), kind="rollback", restores=1)
    records.begin(begun)
    ended = replace(begun, outcome="succeeded", ended=ledger.now(), pending=("terraform",))
    records.end(ended)
    return ended


def test_what_has_followed_a_rollback_is_recorded_behind_its_end(account: Aws) -> None:
    """Each record is the whole release by then, and whoever is too late adds nothing."""
    first, restored, records = _add(account), _restored(account), Ledger(Target(account, _STAGING))
    assert list(records.releases()) == [restored, first] and records.get(2) == restored
    followed = replace(restored, pending=(), plan_sha256="digest")
    with records.following(restored):
        records.has_followed(followed)
    records.has_followed(replace(followed, plan_sha256="another"))
    assert list(records.releases()) == [followed, first] and records.get(2) == followed


def test_nobody_begins_while_something_follows_a_rollback(account: Aws) -> None:
    """And only one follows. Once it stops, others see it at once."""
    restored, records = _restored(account), Ledger(Target(account, _STAGING))
    others = Ledger(Target(account, _STAGING))
    assert others.close_what_died() == restored
    with records.following(restored):
        with pytest.raises(LostRaceError, match="a rollback is under way: release #1"):
            others.close_what_died()
        with pytest.raises(LostRaceError, match="a rollback is under way: release #1"):
            with others.following(restored):
                pass
    assert others.close_what_died() == restored


def test_nothing_follows_a_rollback_that_another_release_has_followed(account: Aws) -> None:
    """Terraform would undo what that one did."""
    restored = _restored(account)
    _add(account)
    with pytest.raises(LostRaceError, match="release #2 has begun since release #1"):
        with Ledger(Target(account, _STAGING)).following(restored):
            pass


def test_an_older_pipeline_reads_what_a_newer_one_wrote() -> None:
    """A rollback is done by the pipeline that deployed last, whatever has tried since."""
    release = _release()
    assert Release.from_json({**release.to_json(), "from_the_future": 1}) == release


def test_the_subject_of_the_commit_is_recorded_and_older_records_have_none(account: Aws) -> None:
    release = ledger.next_release(None, "deploy", _MANIFEST, reason=None, subject="Answer sooner")
    assert Release.from_json(release.to_json()).subject == "Answer sooner"
    older = release.to_json()
    del older["subject"]
    assert Release.from_json(older) == replace(release, subject=None)
