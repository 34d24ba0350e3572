"""The set-up of the GitHub repository, which bootstrap prints and doctor checks.

Each `…_problem` returns what is wrong, or an empty string, and raises GitHubError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline import github
from pipeline.config import APPROVAL, ROOT

# Each of its rules has the shape that the API takes:
# https://docs.github.com/en/rest/repos/rules#create-a-repository-ruleset
RULESET = ROOT / ".github" / "ruleset.json"
_CLAIMS = "token.actions.githubusercontent.com:"


def environment_commands(repository: str, name: str) -> list[str]:
    """Return the commands that create an environment for main only."""
    path = f"repos/{repository}/environments/{name}"
    policy = "deployment_branch_policy"
    # Quoted, because brackets are a pattern in zsh.
    return [
        f"gh api --silent --method PUT {path} -F '{policy}[protected_branches]=false' "
        f"-F '{policy}[custom_branch_policies]=true'",
        f"gh api --silent --method POST {path}/deployment-branch-policies -f name=main",
    ]


def ruleset_command(repository: str) -> str:
    """Return the command that creates the rules of main."""
    file = RULESET.relative_to(ROOT)
    return f"gh api --silent --method POST repos/{repository}/rulesets --input {file}"


def environment_problem(repository: str, name: str) -> str:
    """Check that an environment exists, and that it is for main only."""
    found = github.get(f"repos/{repository}/environments/{name}")
    if found is None:
        return "it does not exist"
    return "" if "branch_policy" in _types(found["protection_rules"]) else "it allows every branch"


def approvers_problem(repository: str) -> str:
    """Check that the approval for production has reviewers."""
    found = github.get(f"repos/{repository}/environments/{APPROVAL}")
    rules = _types(found["protection_rules"]) if found else set()
    return "" if "required_reviewers" in rules else "it has no required reviewers"


def rules_problem(repository: str) -> str:
    """Check that main has all rules of the file, from any ruleset."""
    wanted = json.loads(RULESET.read_text("utf-8"))["rules"]
    active = github.get(f"repos/{repository}/rules/branches/main") or []
    missing = [
        rule["type"]
        for rule in wanted
        if not any(_covers(active_rule, rule) for active_rule in active)
    ]
    return f"missing or incomplete on main: {', '.join(missing)}" if missing else ""


def _covers(active: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a rule is as strict as another one."""
    if active["type"] != wanted["type"]:
        return False
    has = active.get("parameters", {})
    return all(
        _is_met(has.get(name), value) for name, value in wanted.get("parameters", {}).items()
    )


def _is_met(has: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return all(value in (has or []) for value in wanted)
    return bool(has or 0) >= wanted if isinstance(wanted, bool) else int(has or 0) >= wanted


def code_owners_problem(repository: str) -> str:
    """Check that GitHub finds no error in CODEOWNERS, such as an unknown user."""
    found = github.get(f"repos/{repository}/codeowners/errors")
    if found is None:
        return "CODEOWNERS does not exist"
    lines = sorted({int(error["line"]) for error in found["errors"]})
    return f"errors in line {', '.join(map(str, lines))}" if lines else ""


def subject_problem(repository: str) -> str:
    """Check that the repository's identity tokens have the subject that the roles compare."""
    found = github.get(f"repos/{repository}/actions/oidc/customization/sub")
    if found is None or found.get("use_default", True):
        return ""
    return "the subject is customised, and no role trusts it"


def trust_problem(trust: Mapping[str, Any], role: str, repository: str) -> str:
    """Check that a role trusts this repository only, and a role that writes only its workflow."""
    statements = [_claims(statement) for statement in trust["Statement"]]
    trusted = [
        whom
        for statement, claims in zip(trust["Statement"], statements, strict=True)
        for whom in claims.get("sub") or [json.dumps(statement["Principal"])]
    ]
    owner, _, name = repository.partition("/")
    ours = rf"repo:{re.escape(owner)}(@\d+)?/{re.escape(name)}(@\d+)?:.*"
    if not all(re.fullmatch(ours, subject) for subject in trusted):
        return f"it trusts {', '.join(trusted)}"
    if not all(claims.get("repository_id") for claims in statements):
        return "it does not compare the repository's id"
    workflow = {"deploy": "release.yml", "rollback": "rollback.yml"}.get(role.rpartition("-")[2])
    ref = [f"{repository}/.github/workflows/{workflow}@refs/heads/main"]
    if workflow and any(claims.get("job_workflow_ref") != ref for claims in statements):
        return f"it trusts other workflows than {workflow}"
    return ""


def _claims(statement: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the claims of GitHub's identity tokens that a statement compares."""
    compared = statement.get("Condition", {}).get("StringEquals", {})
    return {
        name.removeprefix(_CLAIMS): [value] if isinstance(value, str) else list(value)
        for name, value in compared.items()
        if name.startswith(_CLAIMS)
    }


def ids(repository: str) -> tuple[int, int] | None:
    """Return the ids of the repository's owner and its own; None if it is not found."""
    found = github.get(f"repos/{repository}")
    return (int(found["owner"]["id"]), int(found["id"])) if found else None


def identity_problem(trust: Mapping[str, Any], repository: str) -> str:
    """Check that a role compares the claims that the repository's identity tokens have."""
    known = ids(repository)
    if known is None:
        return "the repository is not found"
    owner, name = repository.split("/")
    sent = (f"repo:{repository}:", f"repo:{owner}@{known[0]}/{name}@{known[1]}:")
    condition = json.dumps(trust)
    if f'"{known[1]}"' not in condition or not all(form in condition for form in sent):
        return f"the roles do not trust the repository's ids, {known[0]}/{known[1]}"
    return subject_problem(repository)


def _types(rules: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(rule["type"]) for rule in rules}
