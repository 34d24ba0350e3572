"""doctor: check what releases need, and print the commands for what is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import click
from botocore.exceptions import ClientError

from pipeline import aws, github
from pipeline.cli import console
from pipeline import repository as setup
from pipeline.terraform import runner
from pipeline.aws import Aws, absent_if, error_code
from pipeline.config import Environment
from pipeline.errors import GitHubError, NotReadyError, PipelineError
from pipeline.cli.help import examples
from pipeline.cli.options import Repository
from pipeline.config import (
    APPROVAL,
    BOOTSTRAP_DIR,
    DEPLOYED_FROM_GITHUB,
    GITHUB_ENVIRONMENTS,
    PURPOSES,
    ROOT,
    TERRAFORM_DIR,
)
from pipeline.traffic.smoke_calls import SMOKE_CALLS
from pipeline.target import Target

# A note is about something optional, or something that could not be checked.
State = Literal["ok", "failed", "note"]

# Lambda keeps 100 of an account's concurrent executions for functions without a reservation.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
_LEAST_CONCURRENCY = 100
# Published versions count against the account's code storage: see `prune`.
_MOST_CODE_STORAGE = 0.9


@dataclass(frozen=True)
class Finding:
    """The result of one check: what was checked, and the `hint` if something is wrong."""

    what: str
    state: State
    detail: str = ""
    hint: str = ""


@click.command("doctor", epilog=examples("doctor --repository octocat/mongo-client"))
@click.option(
    "--repository",
    type=Repository(),
    metavar="OWNER/NAME",
    envvar="GITHUB_REPOSITORY",
    show_envvar=True,
    help="GitHub repository.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(repository: str | None, as_json: bool) -> None:
    """Check prerequisites and configuration."""
    findings = list(_examine(repository))
    if as_json:
        console.result_json([asdict(finding) for finding in findings])
    else:
        rows = [[finding.state, finding.what, finding.detail] for finding in findings]
        console.table("", ["", "what", ""], rows)
        for hint in dict.fromkeys(finding.hint for finding in findings if finding.hint):
            cured = [finding.what for finding in findings if finding.hint == hint]
            console.result(f"\n{', '.join(cured)}:\n    {hint}")
    if failed := [finding for finding in findings if finding.state == "failed"]:
        raise NotReadyError(
            f"{len(failed)} of {len(findings)} checks failed", "The commands above correct them."
        )


def _examine(repository: str | None) -> Iterator[Finding]:
    yield _terraform()
    yield _provider()
    account = aws.connect()
    yield Finding("AWS", "ok", f"account {account.account_id}, region {account.region}")
    bootstrap = f"python -m pipeline bootstrap --repository {repository or 'OWNER/NAME'}"
    for bucket in (account.state_bucket, account.artifact_bucket):
        yield _look(f"bucket {bucket}", bootstrap, lambda: _bucket(account, bucket))
    yield _look("GitHub's OIDC provider", bootstrap, lambda: _identity_provider(account))
    for name in DEPLOYED_FROM_GITHUB:
        environment = Environment(name)
        boundary = str(environment.permissions_boundary)
        yield _look(f"policy {boundary}", bootstrap, lambda: _policy(account, boundary))
        api = environment.api_policy
        others = {
            Environment(other).function_name for other in DEPLOYED_FROM_GITHUB if other != name
        }
        yield _look(f"policy {api}", bootstrap, lambda: _keeps_apart(account, api, others))
        for purpose in PURPOSES:
            role = environment.role_name(purpose)
            yield _look(f"role {role}", bootstrap, lambda: _role(account, role, repository))
        yield from _parameters(Target(account, environment))
        yield _alarms(environment)
    yield from _quotas(account)
    yield from _github(account, repository, bootstrap)


def _look(what: str, hint: str, look: Callable[[], str], problem_is: State = "failed") -> Finding:
    """Check something in AWS or on GitHub.

    `look` returns the problem, or an empty string.
    """
    try:
        problem = look()
    except ClientError as error:
        # For example, a job's role may not read roles.
        return Finding(what, "note", f"not checked, AWS refused: {error_code(error)}")
    except GitHubError as error:
        return Finding(what, "note", error.message, error.hint)
    return Finding(what, problem_is, problem, hint) if problem else Finding(what, "ok")


def _terraform() -> Finding:
    try:
        return Finding("Terraform", "ok", runner.version())
    except PipelineError as problem:
        return Finding("Terraform", "failed", problem.message, problem.hint)


def _provider() -> Finding:
    locked = [
        re.search(r'hashicorp/aws" \{\n  version += "([\d.]+)"', lock.read_text())
        for lock in (folder / ".terraform.lock.hcl" for folder in (TERRAFORM_DIR, BOOTSTRAP_DIR))
    ]
    versions = {found[1] if found else "none" for found in locked}
    if len(versions) == 1 and "none" not in versions:
        return Finding("Terraform's AWS provider", "ok", versions.pop())
    return Finding(
        "Terraform's AWS provider",
        "failed",
        f"the lock files have {', '.join(sorted(versions))}",
        "cp terraform/.terraform.lock.hcl terraform/bootstrap/",
    )


def _bucket(account: Aws, bucket: str) -> str:
    s3 = account.s3
    if absent_if("404", lambda: s3.head_bucket(Bucket=bucket)) is None:
        return "it does not exist"
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        return "it is not versioned"
    block = absent_if(
        "NoSuchPublicAccessBlockConfiguration", lambda: s3.get_public_access_block(Bucket=bucket)
    )
    if block is None or not all(block["PublicAccessBlockConfiguration"].values()):
        return "it does not refuse to be public"
    return ""


def _identity_provider(account: Aws) -> str:
    found = account.identity_provider()
    if found is None:
        return "the account has none"
    audiences = account.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=found)
    return (
        ""
        if "sts.amazonaws.com" in audiences["ClientIDList"]
        else "it does not know AWS's audience"
    )


def _policy(account: Aws, name: str) -> str:
    return "" if _policy_document(account, name) else "it does not exist"


def _policy_document(account: Aws, name: str) -> str | None:
    """Return a policy as text, or None if there is none of that name."""
    arn = account.iam_arn(f"policy/{name}")
    found = absent_if("NoSuchEntity", lambda: account.iam.get_policy(PolicyArn=arn))
    if found is None:
        return None
    version = account.iam.get_policy_version(
        PolicyArn=arn, VersionId=found["Policy"]["DefaultVersionId"]
    )
    return json.dumps(version["PolicyVersion"]["Document"])


def _keeps_apart(account: Aws, policy: str, others: set[str]) -> str:
    """Check that a policy denies the APIs of the other environments, by their ids."""
    document = _policy_document(account, policy)
    if document is None:
        return "it does not exist"
    pages = account.apis.get_paginator("get_apis").paginate()
    apis = [api for page in pages for api in page["Items"] if api["Name"] in others]
    unknown = [api["Name"] for api in apis if api["ApiId"] not in document]
    return f"it does not deny the API {', '.join(unknown)} yet" if unknown else ""


def _role(account: Aws, role: str, repository: str | None) -> str:
    found = absent_if("NoSuchEntity", lambda: account.iam.get_role(RoleName=role))
    if found is None:
        return "it does not exist"
    trust: Any = found["Role"]["AssumeRolePolicyDocument"]
    return setup.trust_problem(trust, role, repository) if repository else ""


def _parameters(target: Target) -> Iterator[Finding]:
    wanted = [(name, "failed", "$VALUE") for name in target.environment.secret_parameters()]
    if SMOKE_CALLS:
        wanted.append((target.environment.smoke_parameter, "note", "$key"))
    for name, kind, value in wanted:
        put = f'aws ssm put-parameter --type SecureString --name {name} --value "{value}"'
        found = _look(f"parameter {name}", put, lambda: _parameter(target.aws, name))
        if found.state == "failed" and kind == "note":
            # It is optional: without it the smoke test neither writes nor reads.
            found = Finding(
                found.what, "note", "not set: the smoke test only calls the health check", put
            )
        yield found


def _parameter(account: Aws, name: str) -> str:
    # Its value is not read.
    found = account.parameters.describe_parameters(
        ParameterFilters=[{"Key": "Name", "Values": [name]}]
    )["Parameters"]
    if not found:
        return "it does not exist"
    return "" if found[0]["Type"] == "SecureString" else "it is not encrypted"


def _alarms(environment: Environment) -> Finding:
    """Check in an environment's settings that its alarms have a topic to notify."""
    what, file = f"alarms of {environment.name}", environment.variables_file
    if re.search(r'^\s*alarm_topic_arn\s*=\s*"', file.read_text("utf-8"), re.MULTILINE):
        return Finding(what, "ok")
    return Finding(
        what,
        "note",
        "alarm_topic_arn is not set: they notify nobody",
        f'Add alarm_topic_arn = "ARN of an SNS topic" to {file.relative_to(ROOT)}',
    )


def _quotas(account: Aws) -> Iterator[Finding]:
    what = "Lambda's quotas"
    try:
        settings = account.functions.get_account_settings()
    except ClientError as error:
        yield Finding(what, "note", f"not checked, AWS refused: {error_code(error)}")
        return
    limit, usage = settings["AccountLimit"], settings["AccountUsage"]
    concurrency = limit["UnreservedConcurrentExecutions"]
    used = usage["TotalCodeSize"] / limit["TotalCodeSize"]
    text = f"{concurrency:,} concurrent executions, {used:.0%} of the code storage used"
    if used > _MOST_CODE_STORAGE:
        prune = "python -m pipeline prune --environment ENVIRONMENT"
        yield Finding(what, "failed", text, prune)
    elif concurrency < _LEAST_CONCURRENCY:
        quota = "aws service-quotas request-service-quota-increase --service-code lambda"
        more = f"{quota} --quota-code L-B99A9384 --desired-value 1000"
        yield Finding(what, "note", text, more)
    else:
        yield Finding(what, "ok", text)


def _github(account: Aws, repository: str | None, bootstrap: str) -> Iterator[Finding]:
    if repository is None:
        yield Finding("GitHub", "note", "not checked: use --repository OWNER/NAME")
        return
    displayed = _look("GitHub repository", bootstrap, lambda: _repository(repository))
    yield displayed
    if displayed.state != "ok":
        return
    for name, value in account.github_variables.items():
        yield _look(
            f"GitHub variable {name}",
            f"gh variable set {name} --repo {repository} --body {value}",
            lambda: _variable(repository, name, value),
        )
    for name in GITHUB_ENVIRONMENTS:
        yield _look(
            f"GitHub environment {name}",
            "\n    ".join(setup.environment_commands(repository, name)),
            lambda: setup.environment_problem(repository, name),
        )
    yield _look(
        f"reviewers of {APPROVAL}",
        f"Name them: https://github.com/{repository}/settings/environments",
        lambda: setup.approvers_problem(repository),
        problem_is="note",
    )
    yield _look(
        "rules of main",
        setup.ruleset_command(repository),
        lambda: setup.rules_problem(repository),
    )
    yield _look(
        "code owners",
        "Name a team or people with write access: .github/CODEOWNERS",
        lambda: setup.code_owners_problem(repository),
    )
    yield _look("identity tokens", bootstrap, lambda: _identity(account, repository))


def _repository(repository: str) -> str:
    return (
        "" if setup.ids(repository) else f"{repository} does not exist, or gh has no access to it"
    )


def _variable(repository: str, name: str, value: str) -> str:
    found = github.get(f"repos/{repository}/actions/variables/{name}")
    is_set = found["value"] if found else "not set"
    return "" if is_set == value else str(is_set)


def _identity(account: Aws, repository: str) -> str:
    """Compare the roles' trust policies with the claims of the repository's identity tokens."""
    role = Environment(DEPLOYED_FROM_GITHUB[-1]).role_name("deploy")
    found = absent_if("NoSuchEntity", lambda: account.iam.get_role(RoleName=role))
    if found is None:
        return f"the role {role} does not exist"
    trust: Any = found["Role"]["AssumeRolePolicyDocument"]
    return setup.identity_problem(trust, repository)
