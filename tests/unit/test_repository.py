"""How the repository on GitHub has to be set up, on answers of GitHub's API."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from pipeline import github, repository

_REPOSITORY = "octo-org/mongo-client"
_ROOT = f"repos/{_REPOSITORY}"
_RULES: list[dict[str, Any]] = json.loads(repository.RULESET.read_text())["rules"]
type _Answers = Callable[[dict[str, Any]], None]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> _Answers:
    """Let GitHub answer at some paths, and have nothing at all others."""
    return lambda known: monkeypatch.setattr(github, "get", known.get)


def test_the_rules_make_merged_mean_checked() -> None:
    """Reviewed by owners of the code, checked by GitHub Actions' own `ci`, never pushed over."""
    rules = {rule["type"]: rule.get("parameters", {}) for rule in _RULES}
    assert set(rules) == {
        "deletion",
        "non_fast_forward",
        "pull_request",
        "required_status_checks",
    }
    assert rules["pull_request"]["required_approving_review_count"] == 1
    assert rules["pull_request"]["require_code_owner_review"] is True
    checks = rules["required_status_checks"]
    assert checks["strict_required_status_checks_policy"] is True
    # The app of GitHub Actions: another app's check of that name does not count.
    assert checks["required_status_checks"] == [{"context": "ci", "integration_id": 15368}]


def test_code_owners_guard_what_decides() -> None:
    lines = repository.RULESET.with_name("CODEOWNERS").read_text().splitlines()
    owned = {line.split()[0] for line in lines if line and not line.startswith("#")}
    assert {"/.github/", "/terraform/bootstrap/"} <= owned


def _changed(kind: str, **parameters: Any) -> list[dict[str, Any]]:
    """Return the rules, one of them with other parameters."""
    return [
        rule | {"parameters": rule["parameters"] | parameters} if rule["type"] == kind else rule
        for rule in _RULES
    ]


@pytest.mark.parametrize(
    ("rules", "missing"),
    [
        (_RULES, ""),
        ([*_RULES, {"type": "required_linear_history"}], ""),
        (_changed("pull_request", required_approving_review_count=2), ""),
        ([], "deletion, non_fast_forward, pull_request, required_status_checks"),
        (_RULES[1:], "deletion"),
        (_changed("pull_request", require_code_owner_review=False), "pull_request"),
        (_changed("pull_request", required_approving_review_count=0), "pull_request"),
        (
            _changed("required_status_checks", required_status_checks=[{"context": "ci"}]),
            "required_status_checks",
        ),
    ],
)
def test_missing_rules_are_named(
    answers: _Answers, rules: list[dict[str, Any]], missing: str
) -> None:
    answers({f"{_ROOT}/rules/branches/main": rules})
    problem = repository.rules_problem(_REPOSITORY)
    assert problem == (f"missing or incomplete on main: {missing}" if missing else "")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "CODEOWNERS does not exist"),
        ({"errors": []}, ""),
        ({"errors": [{"line": 6}, {"line": 4}]}, "errors in line 4, 6"),
    ],
)
def test_owners_that_github_does_not_know_are_named(
    answers: _Answers, answer: Any, problem: str
) -> None:
    """GitHub asks nobody for a review then."""
    answers({f"{_ROOT}/codeowners/errors": answer} if answer else {})
    assert repository.code_owners_problem(_REPOSITORY) == problem


def test_the_commands_that_are_printed_can_be_typed_in_any_shell() -> None:
    """zsh, which macOS has, takes unquoted brackets for a pattern, and runs nothing."""
    commands = repository.environment_commands(_REPOSITORY, "staging")
    commands.append(repository.ruleset_command(_REPOSITORY))
    for command in commands:
        assert "[" not in "".join(command.split("'")[::2])
        assert shlex.split(command)[:2] == ["gh", "api"]
    assert "deployment_branch_policy[custom_branch_policies]=true" in shlex.split(commands[0])


def _trust(**changed: Any) -> dict[str, Any]:
    """Return the trust of production's deploy role, with other claims."""
    claims = {
        "sub": [
            "repo:octo-org/mongo-client:environment:production",
            "repo:octo-org@1234/mongo-client@5678:environment:production",
        ],
        "repository_id": "5678",
        "job_workflow_ref": f"{_REPOSITORY}/.github/workflows/release.yml@refs/heads/main",
    } | changed
    condition = {
        f"token.actions.githubusercontent.com:{name}": value
        for name, value in claims.items()
        if value is not None
    }
    return {"Statement": [{"Principal": "…", "Condition": {"StringEquals": condition}}]}


@pytest.mark.parametrize(
    ("trust", "role", "problem"),
    [
        (_trust(), "production-deploy", ""),
        (_trust(job_workflow_ref=None), "production-plan", ""),
        (
            _trust(sub="repo:octo-org/mongo-client2:pull_request"),
            "production-plan",
            "it trusts repo:octo-org/mongo-client2:pull_request",
        ),
        (
            _trust(repository_id=None),
            "production-deploy",
            "it does not compare the repository's id",
        ),
        (
            _trust(job_workflow_ref=None),
            "production-deploy",
            "it trusts other workflows than release.yml",
        ),
        (_trust(), "production-rollback", "it trusts other workflows than rollback.yml"),
    ],
)
def test_a_role_trusts_this_repository_and_its_own_workflow(
    trust: dict[str, Any], role: str, problem: str
) -> None:
    assert repository.trust_problem(trust, role, _REPOSITORY) == problem


@pytest.mark.parametrize(
    ("found", "subject", "problem"),
    [
        ({"id": 5678, "owner": {"id": 1234}}, {"use_default": True}, ""),
        ({"id": 5678, "owner": {"id": 1234}}, None, ""),
        (
            {"id": 5678, "owner": {"id": 1234}},
            {"use_default": False, "include_claim_keys": ["repo"]},
            "the subject is customised, and no role trusts it",
        ),
        (
            {"id": 9, "owner": {"id": 1234}},
            None,
            "the roles do not trust the repository's ids, 1234/9",
        ),
        (
            {"id": 5678, "owner": {"id": 9}},
            None,
            "the roles do not trust the repository's ids, 9/5678",
        ),
        (None, None, "the repository is not found"),
    ],
)
def test_the_roles_are_compared_with_what_the_repository_sends(
    answers: _Answers, found: Any, subject: Any, problem: str
) -> None:
    """Its ids change with a transfer, its subject with a setting."""
    known = {_ROOT: found, f"{_ROOT}/actions/oidc/customization/sub": subject}
    answers({path: answer for path, answer in known.items() if answer})
    assert repository.identity_problem(_trust(), _REPOSITORY) == problem


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "it does not exist"),
        ({"protection_rules": []}, "it allows every branch"),
        ({"protection_rules": [{"type": "branch_policy"}]}, ""),
    ],
)
def test_an_environment_admits_main_only(answers: _Answers, answer: Any, problem: str) -> None:
    answers({f"{_ROOT}/environments/staging": answer} if answer else {})
    assert repository.environment_problem(_REPOSITORY, "staging") == problem
