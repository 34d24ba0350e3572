"""Who may call what: a role's calls need its permission, and every call is written down.

Whoever comes with the account owner's credentials may do everything. Whoever has assumed a role may
do what the role's policies allow, within its permissions boundary. A role is assumed with an
identity token that its trust policy accepts, or by the account's owner, if it trusts the account.
Signatures, of calls and of tokens, are not verified.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request
from moto.iam.models import Role
from moto.sts.models import sts_backends

from localcloud.iam import evaluation
from localcloud.iam import request as api_request
from localcloud.iam.request import ApiCall
from localcloud.iam.context import Resources
from localcloud.iam.required_permissions import Permissions
from localcloud.iam.evaluation import Request
from localcloud.iam.propagation import Propagation, document

# How the names of IAM's operations begin that change nothing.
_READS = ("Get", "List")
# Not what a journal is for: bodies of any size, and secrets.
_NOT_WRITTEN_DOWN = frozenset({"Body", "Payload", "Value", "WebIdentityToken", "ZipFile"})


class Access:
    """Decides about every call that reaches moto, and keeps the journal."""

    def __init__(self, account_id: str, region: str, journal: Path) -> None:
        self._account_id = account_id
        self._permissions = Permissions(account_id, region)
        self._resources = Resources(account_id, region)
        self._propagation = Propagation(account_id, region)
        self._journal = journal
        self._writing = threading.Lock()

    def guard(self, application: Flask, name: str) -> None:
        """Check the permissions of each call of one of moto's applications before the answer."""

        def decide() -> Response | None:
            requested = getattr(request, "_get_current_object")()
            call, role = api_request.read(name, requested), self._role()
            if call is None:
                return self._refuse_unknown(name, role) if role else None
            # A bucket's policy is for the account's owner, too.
            needed = self._needed(call) if role or call.service == "s3" else []
            refused = [each for each in needed if not self._may(role, each)]
            answer = self._refusal(call, role, refused)
            self._write_down(call, role, needed, answer is None)
            g.call, g.conceals_tags = call, self._conceals_tags(call, role)
            return answer

        def complete(answer: Response) -> Response:
            if "call" in g and g.call.service == "iam" and not g.call.operation.startswith(_READS):
                self._propagation.changed(list(self._resources.iam.roles.values()))
            return _without_tags(answer) if g.get("conceals_tags") else answer

        application.before_request(decide)
        application.after_request(complete)

    def _refuse_unknown(self, service: str, role: Role) -> Response:
        """Refuse what AWS has no call for, or none that is known here, and so no permission."""
        operation = f"{request.method} {request.path}"
        call = ApiCall(service, operation, {}, request.method, request.path)
        self._write_down(call, role, [], allowed=False)
        return _denied(call, f"User: {role.arn} is not authorized to perform: {operation}")

    def _refusal(self, call: ApiCall, role: Role | None, refused: list[Request]) -> Response | None:
        if call.operation == "AssumeRoleWithWebIdentity":
            if self._trusts(call.parameters):
                return None
            return _denied(call, "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        if call.operation == "AssumeRole" and not self._trusts_the_account(call.parameters):
            refused = [Request("sts:AssumeRole", call.parameters["RoleArn"])]
        if refused:
            caller = role.arn if role else f"arn:aws:iam::{self._account_id}:root"
            first = refused[0]
            why = (
                "with an explicit deny in a resource-based policy"
                if self._bucket_denies(first)
                else "because no identity-based policy allows it"
            )
            return _denied(
                call,
                f"User: {caller} is not authorized to perform: {first.action} on resource: "
                f"{first.resource} {why}",
            )
        return None

    def _needed(self, call: ApiCall) -> list[Request]:
        """Return what a call needs, with what conditions may ask about its resource."""
        known = self._resources.context(call)
        needed = [*self._permissions.needed(call), *self._resources.needed(call)]
        return [replace(each, context={**each.context, **known}) for each in needed]

    def _conceals_tags(self, call: ApiCall, role: Role | None) -> bool:
        """Return whether GetFunction gives no tags.

        "Lambda returns tag data only if you have explicit allow permissions for lambda:ListTags":
        GetFunctionResponse in Lambda's API reference.
        """
        if role is None or (call.service, call.operation) != ("lambda", "GetFunction"):
            return False
        name = str(call.parameters["FunctionName"]).rpartition("function:")[2]
        listed = ApiCall("lambda", "ListTags", {"FunctionName": name}, "GET", "")
        return not all(self._may(role, each) for each in self._permissions.needed(listed))

    def _role(self) -> Role | None:
        """Return the role that the caller has assumed; None for the account's owner."""
        signed = request.headers.get("Authorization", "")
        found = re.search(r"Credential=([^/]+)/", signed)
        session = found and sts_backends[self._account_id]["aws"].get_assumed_role_from_access_key(
            found[1]
        )
        return self._resources.iam.get_role_by_arn(session.role_arn) if session else None

    def _may(self, role: Role | None, wanted: Request) -> bool:
        """Return whether a caller may do something: by a role's policies, and by a bucket's own."""
        return (role is None or self._allows(role, wanted)) and not self._bucket_denies(wanted)

    def _allows(self, role: Role, wanted: Request) -> bool:
        """Return whether a role's policies allow something, and its boundary, too."""
        allowed = evaluation.allow(self._propagation.documents(role), wanted)
        if boundary := role.permissions_boundary_arn:
            # Where bootstrap was not run it is not there; on AWS the role could not be made then.
            most = self._resources.iam.managed_policies.get(boundary)
            allowed = allowed and (most is None or evaluation.allow([document(most)], wanted))
        return allowed

    def _bucket_denies(self, wanted: Request) -> bool:
        if not wanted.action.startswith("s3:"):
            return False
        name = wanted.resource.partition(":::")[2].partition("/")[0]
        bucket = self._resources.s3.buckets.get(name)
        return bool(bucket and bucket.policy) and evaluation.deny(json.loads(bucket.policy), wanted)

    def _trusts(self, parameters: Mapping[str, Any]) -> bool:
        """Return whether a role trusts an identity token: its issuer, its audience, its claims."""
        claims = _claims(parameters.get("WebIdentityToken", ""))
        issuer = str(claims.get("iss", "")).partition("://")[2]
        providers = self._resources.iam.open_id_providers
        provider = providers.get(f"arn:aws:iam::{self._account_id}:oidc-provider/{issuer}")
        if provider is None or claims.get("aud") not in provider.client_id_list:
            return False
        context = {f"{issuer}:{name}".lower(): str(value) for name, value in claims.items()}
        action = Request("sts:AssumeRoleWithWebIdentity", "*", context)
        trust = self._trust(parameters["RoleArn"], {"Federated": provider.arn})
        return evaluation.allow([trust], action)

    def _trusts_the_account(self, parameters: Mapping[str, Any]) -> bool:
        """Return whether a role trusts the account, as its root: that is for its policies to limit.

        "AWS JSON policy elements: Principal" in the IAM user guide.
        """
        root = {"AWS": f"arn:aws:iam::{self._account_id}:root"}
        trust = self._trust(parameters["RoleArn"], root)
        return evaluation.allow([trust], Request("sts:AssumeRole", "*"))

    def _trust(self, role_arn: str, principal: Mapping[str, str]) -> Mapping[str, Any]:
        """Return a role's trust policy, with the statements alone that name one principal."""
        roles = list(self._resources.iam.roles.values())
        documents = [role.assume_role_policy_document for role in roles if role.arn == role_arn]
        statements = [
            one
            for each in documents
            for one in evaluation.listed(json.loads(each).get("Statement", []))
        ]
        return {
            "Statement": [
                statement for statement in statements if statement.get("Principal") == principal
            ]
        }

    def _write_down(
        self, call: ApiCall, role: Role | None, needed: list[Request], allowed: bool
    ) -> None:
        line = {
            "caller": role.name if role else "owner",
            "service": call.service,
            "operation": call.operation,
            "parameters": {
                name: value
                for name, value in call.parameters.items()
                if name not in _NOT_WRITTEN_DOWN
            },
            "needed": [[each.action, each.resource] for each in needed],
            "allowed": allowed,
        }
        with self._writing, self._journal.open("a") as file:
            file.write(json.dumps(line, default=str) + "\n")


class Sessions:
    """The credentials that functions run with: each role's own, as Lambda assumes it for them."""

    def __init__(self, account_id: str, region: str) -> None:
        self._account_id = account_id
        self._region = region
        self._sessions: dict[str, dict[str, str]] = {}

    def of(self, role_arn: str) -> dict[str, str]:
        """Return a role's credentials as environment variables, the same ones each time."""
        if role_arn not in self._sessions:
            session = sts_backends[self._account_id]["aws"].assume_role(
                region_name=self._region,
                role_session_name="function",
                role_arn=role_arn,
                policy="",
                duration=3600,
                external_id="",
            )
            self._sessions[role_arn] = {
                "AWS_ACCESS_KEY_ID": session.access_key_id,
                "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
                "AWS_SESSION_TOKEN": session.session_token,
            }
        return self._sessions[role_arn]


def _claims(token: str) -> dict[str, Any]:
    """Return the claims of a JSON Web Token; none if it is no such token."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}


def _without_tags(answer: Response) -> Response:
    found = json.loads(answer.get_data())
    found.pop("Tags", None)
    answer.set_data(json.dumps(found))
    return answer


def _denied(call: ApiCall, message: str) -> Response:
    """Return what AWS answers, in the words of the service's protocol."""
    code = "AccessDenied" if call.service in ("s3", "sts", "iam") else "AccessDeniedException"
    if call.service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    elif call.service in ("sts", "iam"):
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
            f"<Message>{message}</Message></Error></ErrorResponse>"
        )
    else:
        body = json.dumps({"__type": code, "message": message, "Message": message})
    answer = Response(body, status=403)
    answer.headers["x-amzn-ErrorType"] = code
    answer.headers["Content-Type"] = (
        "text/xml" if body.startswith("<") else "application/x-amz-json-1.1"
    )
    return answer
