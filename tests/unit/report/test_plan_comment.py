"""A plan's page: what a person reads of it on a telephone, and that nothing in it acts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from pipeline import github
from pipeline.cli import plan
from pipeline.bundle.manifest import File, Manifest, Package
from pipeline.terraform.plan import Change, PlannedChanges
from pipeline.release.ledger import Outcome, Release
from pipeline.report.plan_comment import PlanComment, page
from pipeline.inspection.report import BundleInfo, PackageInfo, Report
from pipeline.inspection.rules import Finding, Rule

FUNCTION = "aws_lambda_function.service"
FILES = (File("lambda_function.py", 20_000, "0a" * 32),)
LIVE = Manifest(
    Package("lambda_function.zip", 5_000, "00" * 32, FILES),
    Package("pymongo-layer.zip", 2_000_000, "01" * 32, FILES * 1_234),
    *("lock", "a.b", "python3.13", "x86_64", "c0ffee" * 6 + "c0ff", "recipe"),
    {},
)
NEW = replace(
    LIVE, function=Package("lambda_function.zip", 5_250, "02" * 32, FILES), commit="ba5e" * 10
)
RELEASE = Release(
    number=7,
    kind="deploy",
    outcome="succeeded",
    bundle=LIVE.id,
    version="7",
    restores=None,
    began="2026-11-23T17:05:13.123+00:00",
    ended=None,
    actor="ada",
    commit=LIVE.commit,
    run=None,
    reason=None,
    plan_sha256=None,
)
CLEAN = Report(
    NEW.id,
    BundleInfo(
        *("a.b", "x86_64", "python3.13", None, None),
        (
            PackageInfo("lambda_function.zip", 1, 5_250, 20_000),
            PackageInfo("pymongo-layer.zip", 1_234, 2_000_000, 9_000_000),
        ),
    ),
    (),
)
CODE = Change(FUNCTION, "update", ("s3_key", "source_code_hash"), True)

HOSTILE = [
    "</details></code><h1>gone</h1>",
    "`` ` ``` **bold** `",
    "@everyone see #1 and [this](https://example.com) https://example.com",
    "two\n\n## lines\n\n```\n<img src=x>",
    "| a | b |\r\n|---|---|\u2028# c \x1b[2J \u202e\x00",
    "`",
]


def _page(*changes: Change, outputs: tuple[str, ...] = (), **more: Any) -> str:
    """Return the page of a plan for staging with these changes."""
    return page(_context(*changes, outputs=outputs, **more))


def _context(*changes: Change, outputs: tuple[str, ...] = (), **more: Any) -> PlanComment:
    facts: dict[str, Any] = {
        "environment": "staging",
        "manifest": NEW,
        "commit": NEW.commit,
        "planned": PlannedChanges(changes, outputs, "digest", "effects"),
        "beyond": (),
        "allowed": (),
        "live": RELEASE,
        "live_manifest": LIVE,
        "unfinished": None,
        "quarantined": None,
        "refused": None,
        "inspection": CLEAN,
        "differences": None,
    }
    return PlanComment(**(facts | more))


def _created(count: int) -> list[Change]:
    return [
        Change(f"aws_iam_role.number_{index}", "create", ("name",), False) for index in range(count)
    ]


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        ([], "no changes"),
        ([CODE], "1 to update, nothing destroyed"),
        ([CODE, *_created(2)], "2 to create, 1 to update, nothing destroyed"),
        (
            [
                CODE,
                Change("aws_lambda_layer_version.dependencies[0]", "replace", ("s3_key",), False),
                Change("aws_iam_role.old", "delete", (), False),
            ],
            "1 to update, 1 to replace, 1 to destroy",
        ),
    ],
)
def test_the_first_lines_are_the_counts_and_from_which_release_to_which(
    changes: list[Change], headline: str
) -> None:
    text = _page(*changes)
    assert text.splitlines()[0] == f"### Plan for staging: {headline}"
    assert _facts(text)["Release"] == (
        f"From #7, bundle {LIVE.id[:12]}, commit c0ffeec0ffee, "
        f"to bundle {NEW.id[:12]}, commit ba5eba5eba5e"
    )


def test_the_facts_are_before_the_plan_which_is_folded() -> None:
    """What changes in code, dependencies and settings, and what no canary covers."""
    function = Change(FUNCTION, "update", ("layers", "memory_size", "s3_key"), True)
    role = Change("aws_iam_role_policy.f", "update", ("policy",), True, at_once=True)
    files = (replace(FILES[0], sha256="0b" * 32),)
    dependencies = {"dnspython": "2.8.0", "pymongo": "4.20.0"}
    layer = Package("pymongo-layer.zip", 2_100_000, "03" * 32, files)
    new = replace(
        NEW, function=replace(NEW.function, files=files), layer=layer, dependencies=dependencies
    )
    live = replace(LIVE, dependencies={**dependencies, "pymongo": "4.19.0"})
    text = _page(function, role, manifest=new, live_manifest=live)
    facts = _facts(text)
    assert list(facts) == [
        *("Release", "Code", "Dependencies", "Settings", "Other resources"),
        *("Covered by no canary", "Inspection"),
    ]
    assert facts["Code"] == "lambda_function.py changed; 5,250 bytes zipped, +250 (+5.0 %)"
    assert facts["Dependencies"] == (
        "pymongo: 4.19.0 → 4.20.0; layer of 2,100,000 bytes zipped, +100,000 (+5.0 %)"
    )
    assert facts["Settings"] == "memory"
    assert facts["Other resources"] == facts["Covered by no canary"] == "aws_iam_role_policy.f"
    assert text.index("| Inspection |") < text.index("<details>") < text.index("To update:")
    assert text.rstrip().endswith("</details>")


def test_what_does_not_change_says_so() -> None:
    facts = _facts(_page(manifest=LIVE, commit=LIVE.commit))
    unchanged = ("Code", "Dependencies", "Settings", "Other resources")
    assert {facts[name] for name in unchanged} == {"none"}
    assert facts["Covered by no canary"] == "nothing" and "<details>" not in _page()


def test_of_a_long_list_the_first_are_in_the_table() -> None:
    facts = _facts(_page(*_created(6)))
    assert facts["Other resources"] == (
        "aws_iam_role.number_0, aws_iam_role.number_1, aws_iam_role.number_2, "
        "aws_iam_role.number_3 and 2 more"
    )


def test_of_a_new_function_all_settings_change() -> None:
    facts = _facts(_page(Change(FUNCTION, "create", ("memory_size",), False)))
    assert facts["Settings"] == "all: the function is created"


def test_a_changed_output_alone_is_no_empty_plan() -> None:
    text = _page(outputs=("api_url",))
    assert "### Plan for staging: only outputs change\n" in text and "Outputs: `api_url`" in text


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        (("s3_key", "source_code_hash"), "the function's code"),
        (("memory_size", "timeout"), "memory, time limit"),
        (
            ("environment.variables.A", "environment.variables.B|"),
            "environment variable `A`, environment variable `B|`",
        ),
        (("layers", "snap_start.0.apply_on"), "the layer, `snap_start.0.apply_on`"),
    ],
)
def test_changes_are_described(attributes: tuple[str, ...], words: str) -> None:
    text = _page(Change(FUNCTION, "update", attributes, True))
    assert f"To update:\n\n- `{FUNCTION}`: {words}\n" in text


def test_words_belong_to_a_type_of_resource() -> None:
    """`timeout` of something else may be another thing."""
    assert "- `aws_other.x`: `timeout`\n" in _page(
        Change("aws_other.x", "update", ("timeout",), False)
    )


def test_what_a_deployment_would_refuse_stands_above_the_plan() -> None:
    text = _page(CODE, refused="a deployment is refused: Lambda refuses weights. Take one step.")
    warning = "**`a deployment is refused: Lambda refuses weights. Take one step.`**"
    assert text.index("| Inspection |") < text.index(warning) < text.index("To update:")


def test_resources_are_grouped_by_action_and_new_ones_are_reported_by_address() -> None:
    layer = Change(
        "aws_lambda_layer_version.dependencies[0]", "replace", ("source_code_hash",), False
    )
    gone = Change("aws_iam_role.old", "delete", ("name",), False)
    text = _page(gone, layer, CODE, *_created(1))
    groups = ["To create:", "To update:", "To replace:", "To destroy:"]
    assert [line for line in text.splitlines() if line in groups] == groups
    assert "- `aws_iam_role.number_0`\n" in text and "- `aws_iam_role.old`\n" in text
    assert "- `aws_lambda_layer_version.dependencies[0]`: the layer's contents\n" in text


def test_a_destroyed_protected_resource_is_reported_with_the_label_that_allows_it() -> None:
    gone = Change(FUNCTION, "replace", ("function_name",), True)
    alias = Change("aws_lambda_alias.live", "delete", (), True)
    text = _page(gone, alias, allowed=("aws_lambda_alias.live",))
    refused, allowed = [line for line in text.splitlines() if line.startswith("**This plan")]
    assert "add the label" in refused and "then re-run the failed jobs" in refused
    assert f"`{FUNCTION}`, and is refused" in refused and f"`allow-destroy:{FUNCTION}`" in refused
    assert "`aws_lambda_alias.live`, which `allow-destroy:aws_lambda_alias.live` allows" in allowed
    strong = [token for token in _tokens(text) if token.type == "strong_open"]
    assert len(strong) == 2
    assert "**This plan" not in _page(Change("aws_iam_role.old", "delete", (), False))


@pytest.mark.parametrize(
    ("outcome", "words"),
    [("failed", "failed"), ("interrupted", "was interrupted"), ("under way", "is under way")],
)
def test_a_release_that_failed_is_reported(outcome: Outcome, words: str) -> None:
    """What differs then need not be somebody's work by hand."""
    text = _page(CODE, unfinished=replace(RELEASE, number=8, outcome=outcome))
    assert (
        f"**Release `#8`, a deploy of bundle `{LIVE.id[:12]}` by `ada`, {words}: what it may"
        in text
    )
    assert "half-way" not in _page(CODE)


def test_a_bundle_in_quarantine_is_reported() -> None:
    assert "**In quarantine:** `it was slow`\n" in _page(CODE, quarantined="it was slow")
    assert "quarantine" not in _page(CODE)


def test_differences_from_a_reviewed_plan_are_reported_only_on_request() -> None:
    assert "pull request showed" not in _page(CODE)
    assert "This is the same as the pull request showed.\n" in _page(CODE, differences=())
    text = _page(
        CODE, differences=("x.y: now changes z as well", "bundle 1; the reviewed plan has 2")
    )
    assert "**This is not what the pull request showed:**\n\n- `x.y: now changes z as" in text
    assert "- `bundle 1; the reviewed plan has 2`\n" in text


@pytest.mark.parametrize(
    ("size_bytes", "sha256", "cell"),
    [
        (5_250, "02" * 32, "packed in another way; 5,250 bytes zipped, +250 (+5.0 %)"),
        (4_000, "02" * 32, "packed in another way; 4,000 bytes zipped, -1,000 (-20.0 %)"),
        (5_000, "02" * 32, "packed in another way; 5,000 bytes zipped, as large as before"),
        (5_000, "00" * 32, "none"),
    ],
)
def test_sizes_are_compared_with_what_is_live(size_bytes: int, sha256: str, cell: str) -> None:
    package = Package("lambda_function.zip", size_bytes, sha256, FILES)
    facts = _facts(_page(CODE, manifest=replace(NEW, function=package)))
    assert (facts["Code"], facts["Dependencies"]) == (cell, "none")


def test_before_the_first_release_there_is_nothing_to_compare_with() -> None:
    facts = _facts(_page(CODE, live=None, live_manifest=None))
    assert facts["Release"].startswith(f"Nothing is live in staging yet. To bundle {NEW.id[:12]}")
    assert facts["Code"] == "5,250 bytes zipped"
    assert facts["Dependencies"] == "layer of 2,000,000 bytes zipped"


def test_a_live_bundle_that_is_damaged_is_reported() -> None:
    facts = _facts(_page(CODE, live_manifest=None))
    unknown = "unknown, because the bundle of #7 is damaged or missing; "
    assert facts["Code"] == f"{unknown}5,250 bytes zipped"


def test_a_function_without_a_layer_has_no_dependencies() -> None:
    text = _page(CODE, manifest=replace(NEW, layer=None), live_manifest=replace(LIVE, layer=None))
    assert _facts(text)["Dependencies"] == "no layer"


def test_the_inspection_is_part_of_the_facts_and_findings_are_listed() -> None:
    where = "lambda_function.zip (1 file) and pymongo-layer.zip (1,234 files)"
    assert _facts(_page(CODE))["Inspection"] == f"no findings in {where}"
    finding = Finding(Rule.DAMAGED_ZIP, "pymongo-layer.zip", "a/b.py", "it is damaged", 4)
    text = _page(CODE, inspection=replace(CLEAN, findings=(finding, finding)))
    assert _facts(text)["Inspection"] == "2 findings, below"
    assert "**Findings of the inspection:**\n\n- `damaged-zip pymongo-layer.zip:a/b.py:4 it" in text
    assert "no findings" not in text


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_others_acts_on_the_page(text: str) -> None:
    """File names, messages, addresses, attributes, commits, and the reviewed plan."""
    message = _page(
        Change(f'aws_iam_role.x["{text}"]', "update", (text,), True),
        Change(f'aws_lambda_alias.x["{text}"]', "delete", (), True),
        Change(FUNCTION, "update", (f"environment.variables.{text}",), True),
        outputs=(text,),
        manifest=replace(NEW, function=replace(NEW.function, name=text)),
        commit=text,
        live=replace(RELEASE, commit=text),
        unfinished=replace(RELEASE, outcome="failed", bundle=text, actor=text),
        quarantined=text,
        differences=(text,),
        inspection=replace(
            CLEAN, findings=(Finding(Rule.UNSAFE_PATH, "pymongo-layer.zip", text, text),)
        ),
    )
    plain = _page(
        Change("aws_iam_role.x", "update", ("x",), True),
        Change("aws_lambda_alias.x", "delete", (), True),
        Change(FUNCTION, "update", ("environment.variables.X",), True),
        outputs=("x",),
        unfinished=replace(RELEASE, outcome="failed"),
        quarantined="x",
        differences=("x",),
        inspection=replace(CLEAN, findings=(Finding(Rule.UNSAFE_PATH, "x", "x", "x"),)),
    )
    assert [token.type for token in _tokens(message)] == [token.type for token in _tokens(plain)]
    outside = [token.content for token in _tokens(message) if token.type == "text"]
    assert not any("@everyone" in each or "example.com" in each for each in outside)
    assert all(char.isprintable() or char == "\n" for char in message)


def test_a_page_that_is_too_long_is_cut_and_folded_parts_are_closed() -> None:
    text = github.cut(_page(*_created(5_000)), 30_000, "The rest is there.")
    assert len(text) < 32_000 and text.endswith("</details>\n\nThe rest is there.\n")
    assert text.count("<details>") == text.count("</details>") == 1


def test_what_is_saved_is_cut_and_says_where_the_whole_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment holds 65,536 characters: the rest is in the run's summary, or a command away."""
    facts = _context(*_created(5_000))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    plan.save(tmp_path, facts, page(facts), "abc")
    saved = (tmp_path / "plan.md").read_text()
    again = "`python -m pipeline plan --environment staging --bundle abc`"
    assert len(saved) < 32_000 and saved.endswith(f"Cut off here: {again} prints the whole.\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "a/b")
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    plan.save(tmp_path, facts, page(facts), "abc")
    where = "[the summary of the run](https://github.com/a/b/actions/runs/7) has the whole."
    assert (tmp_path / "plan.md").read_text().endswith(f"Cut off here: {where}\n")
    plan.save(tmp_path, _context(CODE), _page(CODE), "abc")
    assert (tmp_path / "plan.md").read_text() == _page(CODE)


def _tokens(markdown: str) -> Iterator[Any]:
    """Yield every token of the page as CommonMark reads it, with tables as GitHub does."""
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        yield token
        yield from token.children or []


def _facts(markdown: str) -> dict[str, str]:
    """Return the table of facts: the text of each row by its name."""
    rows: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows and token.level == 4:
            rows[-1].append("".join(child.content for child in token.children or []))
    return {name: text for name, text in filter(None, rows[1:])}
