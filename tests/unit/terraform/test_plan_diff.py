"""Comparing a plan with the one that a pull request showed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.terraform.plan import Change, PlannedChanges
from pipeline.terraform.plan_diff import PlanSnapshot, differences, read

FUNCTION = Change("aws_lambda_function.f", "update", ("memory_size", "s3_key"), True)
ROLE = Change("aws_iam_role.r", "create", ("name",), False)


def _plan(*changes: Change, effects: str, outputs: tuple[str, ...] = ()) -> PlanSnapshot:
    return PlanSnapshot.of(PlannedChanges(changes, outputs, "digest", effects))


REVIEWED = _plan(FUNCTION, ROLE, effects="1", outputs=("url",))


@pytest.mark.parametrize(
    ("now", "lines"),
    [
        (_plan(FUNCTION, ROLE, effects="1", outputs=("url",)), ()),
        (
            _plan(ROLE, FUNCTION, effects="2", outputs=("url",)),
            ("the same resources and attributes, with other values",),
        ),
        (
            _plan(
                Change("aws_lambda_function.f", "update", ("s3_key", "timeout"), True),
                Change("aws_iam_role.r", "update", ("name",), False),
                effects="2",
                outputs=("url",),
            ),
            (
                "aws_iam_role.r: updated; the reviewed plan has: created",
                "aws_lambda_function.f: now changes timeout as well",
                "aws_lambda_function.f: does not change memory_size any more",
            ),
        ),
        (
            _plan(
                FUNCTION,
                Change("aws_iam_role.other", "delete", (), False),
                effects="2",
                outputs=("name",),
            ),
            (
                "aws_iam_role.other: destroyed; the reviewed plan has: no change",
                "aws_iam_role.r: no change; the reviewed plan has: created",
                "output: now changes name as well",
                "output: does not change url any more",
            ),
        ),
    ],
)
def test_differences_are_described(now: PlanSnapshot, lines: tuple[str, ...]) -> None:
    assert differences(now, REVIEWED) == lines


def test_what_was_saved_is_read_as_it_was(tmp_path: Path) -> None:
    document = PlannedChanges((FUNCTION, ROLE), ("url",), "digest", "1").to_json()
    (tmp_path / "plan.json").write_text(json.dumps(document))
    assert read(tmp_path / "plan.json") == REVIEWED


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"effects_sha256": 2, "changes": [3], "outputs": []}', "[" * 100_000],
)
def test_a_plan_that_cannot_be_read_counts_as_missing(content: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(content)
    for file in (tmp_path / "plan.json", tmp_path / "absent.json", tmp_path):
        assert differences(REVIEWED, read(file)) == ("the pull request has no plan",)
