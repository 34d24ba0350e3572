"""The summary of a deployment or rollback: what a person reads, and that nothing in it acts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from markdown_it import MarkdownIt

from pipeline.bundle.manifest import Manifest, Package
from pipeline.traffic.invoke import NOTHING_SERVED, Health
from pipeline.config import Environment
from pipeline.errors import CheckFailedError, LostRaceError
from pipeline.terraform.plan import Change, PlannedChanges
from pipeline.release.ledger import Release
from pipeline.release.context import ReleaseContext
from pipeline.report.release_summary import Ending, page, preview
from pipeline.target import Target
from pipeline.timeline import Phase, Timeline
from pipeline.traffic.alias import Live

PRODUCTION = Environment("production")
OLD_LAYER = Package("pymongo-layer.zip", 2_000_000, "01" * 32, ())
OLD = Manifest(
    Package("lambda_function.zip", 5_211, "00" * 32, ()),
    OLD_LAYER,
    *("lock", "a.b", "python3.13", "x86_64", "c0ffee00", "recipe"),
    {"dnspython": "2.9.2", "pymongo": "4.19.0"},
)
NEW = replace(
    OLD,
    function=Package("lambda_function.zip", 5_230, "02" * 32, ()),
    commit="ba5e" * 10,
    dependencies={"dnspython": "2.9.2", "pymongo": "4.20.0"},
)
PLAN = PlannedChanges(
    (Change("aws_lambda_function.service", "update", ("s3_key", "source_code_hash"), True),),
    ("function_version",),
    "digest",
    "effects",
)
PHASES = [Phase("inspect", 0.412), Phase("plan", 3.1), Phase("call", 0.0), Phase("switch", 1.05)]

HOSTILE = [
    "</details></code><h1>gone</h1>",
    "`` ` ``` **bold** `",
    "@everyone see #1 and [this](https://example.com) https://example.com",
    "two\n\n## lines\n\n```\n<img src=x>",
    "| a | b |\r\n|---|---|\u2028# c \x1b[2J \u202e\x00\ud800",
    "`",
    "   ",
]


def _release(number: int, **more: Any) -> Release:
    release = Release(
        number=number,
        kind="deploy",
        outcome="succeeded",
        bundle=NEW.id,
        version=str(number),
        restores=None,
        began="2026-11-23T17:05:13.123+00:00",
        ended=None,
        actor="ada",
        commit="c0ffee" * 6,
        run=None,
        reason="it was slow",
        plan_sha256=None,
    )
    return replace(release, **more)


def _context(**more: Any) -> ReleaseContext:
    """A deployment that went well, but for what a test says is different."""
    context: dict[str, Any] = {
        "operation": "deploy",
        "target": Target(cast(Any, None), PRODUCTION),
        "actor": "ada",
        "reason": "it was slow",
        "timeline": Timeline(list(PHASES)),
        "manifest": NEW,
        "serving": _release(11, bundle=OLD.id),
        "planned": PLAN,
        "release": _release(12),
        "health_before": Health("200", 12),
        "health_after": Health("200", 15),
    }
    return ReleaseContext(**(context | more))


def _ending(before: str | None = "4", now: str | None = "5", **more: Any) -> Ending:
    """How things are after it, with live's version before and now."""
    ending = Ending(
        live_before=Live(before, (), "a") if before else None,
        live=Live(now, (), "b") if now else None,
        left=OLD,
        way_back=_release(11, bundle=OLD.id),
        health=None,
    )
    return replace(ending, **more)


FAILED = {"problem": CheckFailedError("the check failed", "Look at it."), "release": _release(12)}


@pytest.mark.parametrize(
    ("context", "ending", "headline"),
    [
        (_context(), _ending(), f"release `#12` serves bundle {NEW.id[:12]}"),
        (
            _context(release=None),
            _ending(),
            f"nothing to do, it serves bundle {NEW.id[:12]} already",
        ),
        (
            _context(operation="rollback", restored=_release(11)),
            _ending(),
            "rolled back to release `#11`",
        ),
        (
            _context(operation="dry run", restored=_release(11)),
            _ending(),
            "what a rollback would do",
        ),
        (
            _context(**FAILED, operation="dry run", restored=_release(11), proved=True),
            _ending("4", "4"),
            "a rollback would restore traffic, and then fail",
        ),
        (
            _context(**FAILED),
            _ending("4", "4"),
            "deployment failed, live stays at v4",
        ),
        (_context(**FAILED), _ending("4", "2"), "deployment failed, live points to v2"),
        (_context(**FAILED), _ending(None, "1"), "deployment failed, live points to v1"),
        (_context(**FAILED), _ending(None, None), "deployment failed, nothing serves"),
        (
            _context(**FAILED),
            None,
            "deployment failed, and what live serves is unknown: AWS cannot be reached",
        ),
        (
            _context(**FAILED, operation="rollback", restored=_release(11)),
            _ending("5", "4"),
            "rollback failed, live points to v4",
        ),
        (
            _context(problem=LostRaceError("no"), operation="dry run", release=None),
            _ending("4", "4"),
            "dry run of a rollback failed, live stays at v4",
        ),
    ],
)
def test_the_headline_says_it_all(
    context: ReleaseContext, ending: Ending | None, headline: str
) -> None:
    assert page(context, ending).splitlines()[0] == f"## production: {headline}"


def test_the_page_has_what_who_and_how_long_in_order() -> None:
    """Headline, who, what changed, how long, health, the way back."""
    text = page(_context(), _ending())
    assert text.split("\n\n")[1] == "By `ada`, commit `ba5eba5eba5e`, reason: `it was slow`"
    titles = [line for line in text.splitlines() if line.startswith("### ")]
    assert titles == [
        "### What changed",
        "### Timeline: 4.6 s",
        "### Health of live",
        "### Going back",
    ]
    assert "  ~ aws_lambda_function.service: new code\n" in text
    assert "- `lambda_function.zip: 5,211 → 5,230 bytes`\n" in text
    assert "- `pymongo-layer.zip: unchanged, 2,000,000 bytes`\n" in text
    assert "- `pymongo: 4.19.0 → 4.20.0`\n" in text and "dnspython" not in text
    assert "- before the switch: `200 in 12 ms`\n- after the switch: `200 in 15 ms`\n" in text


def test_the_way_back_is_there_to_be_copied() -> None:
    text = page(_context(), _ending())
    assert f"this restores `release #11, bundle {OLD.id[:12]}`:" in text
    assert _blocks(text)[-2:] == [
        'gh workflow run rollback.yml --ref main -f environment=production -f reason="…"\n',
        'python -m pipeline rollback --environment production --reason "…"\n',
    ]


def test_after_the_first_release_there_is_nothing_to_go_back_to() -> None:
    context = _context(serving=None, health_before=NOTHING_SERVED)
    text = page(context, _ending(None, "1", left=None, way_back=None))
    assert "There is no release to go back to." in text and "rollback.yml" not in text
    assert "- before the switch: `nothing served`\n" in text
    assert "- `lambda_function.zip: 5,230 bytes`\n" in text


def test_a_failure_is_reported_with_a_hint_and_where_live_points() -> None:
    timeline = Timeline(list(PHASES), failed="call")
    problem = CheckFailedError("the check failed\nTraceback", "Look at it.")
    context = _context(problem=problem, timeline=timeline, health_after=None)
    text = page(context, _ending("4", "4", health=Health("503", 40)))
    assert "### What was to change" in text
    assert "In the phase `call`:\n\n```\nthe check failed\nTraceback\n\nLook at it.\n```\n" in text
    assert "- now: `503 in 40 ms`\n" in text
    assert "\nLive stays at v4.\n" in text
    assert text.index("### Health of live") < text.index("### What failed")
    assert text.index("### What failed") < text.index("### Going back")


def test_a_failure_before_anything_is_known_has_a_page_too() -> None:
    timeline = Timeline([Phase("inspect", 0.1)], failed="inspect")
    context = ReleaseContext(
        "deploy",
        Target(cast(Any, None), PRODUCTION),
        "ada",
        None,
        timeline,
        problem=OSError("gone"),
    )
    text = page(context, None)
    assert "By `ada`, no reason given" in text and "OSError: gone" in text
    assert "Going back" not in text


def test_a_rollback_reports_the_quarantine() -> None:
    left = _release(11, bundle=NEW.id)
    context = _context(operation="rollback", serving=left, restored=_release(10), manifest=OLD)
    text = page(context, _ending(left=NEW))
    assert f"- `bundle {NEW.id[:12]} is in quarantine`" in text
    assert "- `lambda_function.zip: 5,230 → 5,211 bytes`\n" in text


def test_a_rollback_to_a_quarantined_release_warns() -> None:
    """Such a release is restored if its number is given, with a warning."""
    word = "bundle 012345678901 was rolled back in production by ada at noon: slow"
    context = _context(operation="rollback", restored=_release(10), manifest=OLD, quarantined=word)
    for text in (page(context, _ending()), "\n".join(preview(context, NEW))):
        assert f"{word}; to restore it takes it out of quarantine" in text


def test_a_rollback_of_settings_only_warns_that_they_return() -> None:
    """Which ones, by name; the bundle is good, so it is in no quarantine."""
    names = ("Environment.Variables.API_KEYS", "MemorySize")
    context = _context(operation="rollback", restored=_release(10), manifest=OLD, settings=names)
    for text in (page(context, _ending(left=OLD)), "\n".join(preview(context, OLD))):
        assert all(name in text for name in names)
        assert "take them back there" in text and "quarantine" not in text


def test_a_dry_run_reports_what_would_happen() -> None:
    """On the page and in the terminal: both releases, the packages, the plan, the quarantine."""
    restored = _release(10, reason="fine")
    left = _release(11, bundle=NEW.id)
    context = _context(
        operation="dry run",
        manifest=OLD,
        serving=left,
        restored=restored,
        proved=True,
        release=None,
    )
    text = page(context, _ending(left=NEW))
    assert "by ada at 2026-11-23T17:05:13Z: fine`" in text
    assert f"- `bundle {NEW.id[:12]} would go into quarantine`" in text
    first, second = _blocks(text)[-2:]
    assert "-f environment=production -f release=10 -f reason=" in first
    assert "--environment production --to 10 --reason" in second
    assert "mermaid" not in text and "Going back" not in text
    lines = preview(context, NEW)
    assert [line.split()[0] for line in lines] == [
        *("serves", "restore", "package", "package", "needs", "then")
    ]
    assert lines[4].endswith("pymongo: 4.20.0 → 4.19.0")
    assert lines[1].endswith("by ada at 2026-11-23T17:05:13Z: fine")


def test_a_dry_run_has_the_commands_if_it_is_possible() -> None:
    """Even if Terraform would not follow: traffic comes first."""
    context = _context(**FAILED, operation="dry run", restored=_release(10), proved=True)
    text = page(context, _ending("4", "4"))
    assert "the check failed" in text and "### To do it" in text
    assert "### To do it" not in page(replace(context, proved=False), _ending("4", "4"))


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_people_write_acts_on_the_page(text: str) -> None:
    """Reason, name, commit and error are printed as code: no tag, link or mention."""
    release = _release(11, actor=text, commit=text, reason=text, bundle=text)
    context = _context(
        actor=text,
        reason=text,
        manifest=replace(NEW, commit=text),
        serving=release,
        restored=release,
        problem=CheckFailedError(text, text),
        health_before=Health(text, 1),
    )
    for operation in ("deploy", "rollback", "dry run"):
        for problem in (None, context.problem):
            message = page(
                replace(context, operation=operation, problem=problem), _ending("4", "4")
            )
            message.encode()
            parts = [
                token for token in _tokens(message) if not token.type.startswith(("code", "fen"))
            ]
            assert not {"html_inline", "html_block", "link_open", "image"} & {
                token.type for token in parts
            }
            outside = " ".join(token.content for token in parts if token.type == "text")
            assert not re.search(r"@everyone|gone|bold|lines|example|\[2J", outside)
            assert not set(message) & set("\x1b\x00\u202e\u2028\ud800")
            assert {token.tag for token in parts if token.type == "heading_open"} == {"h2", "h3"}


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_people_write_acts_on_the_log(text: str) -> None:
    """What a terminal or GitHub would obey is no line of its own, and cannot move the cursor."""
    release = _release(11, actor=text, reason=f"{text}\n::add-mask::e\x1b]0;owned\x07")
    lines = preview(_context(operation="dry run", serving=release, restored=release), OLD)
    assert len(lines) == 6 and all(line.isprintable() for line in lines)


def test_no_credential_is_printed() -> None:
    secret = "mongodb://app:" + "hunter2correct" + "@db.internal/"
    context = _context(reason=f"because of {secret}", problem=OSError(f"cannot reach {secret}"))
    text = page(context, _ending("4", "4"))
    assert "hunter2" not in text
    assert text.count("it looks like a credential: password in a URI") == 2


@pytest.mark.parametrize(
    ("health", "words"),
    [
        (Health("200", 0), "200 in 0 ms"),
        (Health("an error (OSError)", 31), "an error (OSError) in 31 ms"),
        (NOTHING_SERVED, "nothing served"),
    ],
)
def test_health_is_described(health: Health, words: str) -> None:
    assert health.in_words() == words


@pytest.mark.parametrize(
    "name",
    ["a: b, c; d # e %% f", "call it", "title x\nclick y", "section", "\n", "```", "%%{init}%%"],
)
def test_no_name_of_a_phase_breaks_the_picture(name: str) -> None:
    """Mermaid takes `:`, `;` and `#` for its own, and words like `call` at the start of a task."""
    picture = Timeline([Phase(name, 1.5), Phase("next", 0.25)], failed="next").to_mermaid()
    head, tasks = picture[:5], picture[5:]
    assert head[:3] == ["gantt", "    dateFormat x", "    axisFormat %s s"]
    assert re.fullmatch(r"    section [\w.-]([\w. -]*[\w.-])?", tasks[0])
    assert tasks[1:] == ["    1.5 s :0, 1500", "    section next", "    0.2 s :crit, 1500, 1750"]


@pytest.mark.parametrize(("seconds", "tick"), [(4, "1"), (11, "2"), (99, "10"), (1000, "60")])
def test_the_axis_has_room_for_its_numbers(seconds: float, tick: str) -> None:
    assert f"    tickInterval {tick}second" in Timeline([Phase("plan", seconds)]).to_mermaid()


def test_the_picture_is_on_the_page() -> None:
    """Every phase follows the one before it, and the total is there as text too."""
    text = page(_context(), _ending())
    [picture] = re.findall(r"^```mermaid\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert picture.splitlines() == Timeline(list(PHASES)).to_mermaid()
    times = re.findall(r"s :(\d+), (\d+)$", picture, re.MULTILINE)
    assert times == [("0", "412"), ("412", "3512"), ("3512", "3512"), ("3512", "4562")]


def _tokens(markdown: str) -> Iterator[Any]:
    """Yield every token of the page as CommonMark reads it, with tables as GitHub does."""
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        yield token
        yield from token.children or []


def _blocks(markdown: str) -> list[str]:
    return [token.content for token in _tokens(markdown) if token.type == "fence"]
