"""Who gets which role: the identity that it is for, and no other."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.bootstrap.account import SUBJECT, Account, subject_of, token, workflow_of

pytestmark = pytest.mark.integration

ROLES = [
    f"{environment}-{purpose}"
    for environment in ("staging", "production")
    for purpose in ("plan", "deploy", "rollback")
]
MAIN = f"{SUBJECT}:ref:refs/heads/main"
NAMES_ONLY = "repo:octo-org/mongo-client"

# Identities that no role of staging's or production's may be given to.
REFUSED = {
    "another repository": {"sub": "repo:octo-org@1234/other@99:environment:production"},
    "the same name, another owner": {"sub": "repo:evil@6666/mongo-client@5678:pull_request"},
    "a repository that took the name over": {"sub": f"{SUBJECT[:-1]}9:pull_request"},
    "the same names, another repository": {
        "sub": f"{NAMES_ONLY}:environment:production",
        "repository_id": "99",
    },
    "a token without the repository's id": {
        "sub": f"{NAMES_ONLY}:environment:production",
        "repository_id": "",
    },
    "a fork": {"sub": "repo:somebody@42/mongo-client@4242:pull_request"},
    "a branch": {"sub": f"{SUBJECT}:ref:refs/heads/topic"},
    "a branch whose name begins like main": {"sub": f"{MAIN}2"},
    "a tag": {"sub": f"{SUBJECT}:ref:refs/tags/main"},
    "an environment in capitals": {"sub": f"{SUBJECT}:environment:Production"},
    "an environment whose name goes on": {"sub": f"{SUBJECT}:environment:production-x"},
    "the approval's environment": {"sub": f"{SUBJECT}:environment:production-approval"},
    "a subject with a wildcard": {"sub": f"{SUBJECT}:*"},
    "an empty subject": {"sub": ""},
}


def gets(account: Account, role: str, **claims: str) -> bool:
    """Return whether the role is given for a token of the workflow that it is for."""
    return is_given(account, role, token(**{"job_workflow_ref": workflow_of(role), **claims}))


def is_given(account: Account, role: str, identity: str) -> bool:
    """Return whether the role is given for an identity token."""
    try:
        account.assume(role, identity)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"
        return False
    return True


@pytest.mark.parametrize("role", ROLES)
def test_the_job_that_a_role_is_for_gets_it(account: Account, role: str) -> None:
    assert gets(account, role, sub=subject_of(role))


@pytest.mark.parametrize("role", ROLES)
def test_an_older_repository_sends_names_only(account: Account, role: str) -> None:
    """One that was neither created, renamed nor transferred since 2026-07-15."""
    assert gets(account, role, sub=subject_of(role).replace(SUBJECT, NAMES_ONLY))


@pytest.mark.parametrize("role", [each for each in ROLES if not each.endswith("-plan")])
def test_no_other_workflow_gets_a_role_that_writes(account: Account, role: str) -> None:
    """Nor does another branch's file of that name: what is in main was reviewed."""
    ours = workflow_of(role)
    other = "rollback" if "release" in ours else "release"
    for workflow in (
        ours.replace("refs/heads/main", "refs/heads/topic"),
        ours.replace("octo-org/", "somebody/"),
        ours.replace("rollback" if other == "release" else "release", other),
        ours.replace("rollback" if other == "release" else "release", "new"),
        "",
    ):
        assert not gets(account, role, sub=subject_of(role), job_workflow_ref=workflow), workflow


@pytest.mark.parametrize("role", ROLES)
def test_no_other_identity_gets_a_role(account: Account, role: str) -> None:
    got = [name for name, claims in REFUSED.items() if gets(account, role, **claims)]
    assert got == []


@pytest.mark.parametrize("role", ROLES)
def test_no_other_job_of_ours_gets_a_role(account: Account, role: str) -> None:
    """A pull request gets none that writes, staging none of production's, a rollback no deploy."""
    subjects = {MAIN, *(subject_of(each) for each in ROLES)}
    wanted = {subject_of(role), MAIN} if role.endswith("-plan") else {subject_of(role)}
    got = {subject for subject in subjects if gets(account, role, sub=subject)}
    assert got == wanted


@pytest.mark.parametrize("role", ROLES)
def test_only_a_token_for_aws_counts(account: Account, role: str) -> None:
    """GitHub gives tokens for other audiences to whoever asks; other issuers vouch for anything."""
    subject = subject_of(role)
    for claims in (
        {"aud": "https://github.com/octo-org"},
        {"aud": ""},
        {"iss": "https://token.actions.example.com"},
        {"iss": ""},
    ):
        assert not gets(account, role, sub=subject, **claims), claims
    assert not is_given(account, role, "no token")


@pytest.mark.parametrize("role", [each for each in ROLES if not each.endswith("-plan")])
def test_what_writes_starts_from_main(account: Account, role: str) -> None:
    """An environment's own rule admits main only; should somebody lift it, AWS does not."""
    for ref in ("refs/heads/topic", "refs/tags/v1", ""):
        assert not gets(account, role, sub=subject_of(role), ref=ref)
