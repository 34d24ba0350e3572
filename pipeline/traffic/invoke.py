"""Call a version and see that it answers as it must."""

from __future__ import annotations

import logging
import base64
import json
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import labels
from pipeline.aws import absent_if, error_code
from pipeline.bundle.manifest import Manifest
from pipeline.errors import CheckFailedError
from pipeline.markdown import one_line
from pipeline.traffic.proxy_response import ProxyResponse
from pipeline.target import DeployedFunction

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef

log = logging.getLogger(__name__)

_ROUTE = "ANY /api/{proxy+}"
_LONGEST = 160  # characters of what the function says, in an error's message


@dataclass(frozen=True)
class Health:
    """How GET /api/health was answered.

    `outcome` is the HTTP status, or says why there is none; `milliseconds` is how long the call
    took, seen from here, or None if nothing was called; `database_down` whether the answer says
    that the database is unavailable.
    """

    outcome: str
    milliseconds: int | None = None
    database_down: bool = False

    def in_words(self) -> str:
        return self.outcome + ("" if self.milliseconds is None else f" in {self.milliseconds} ms")


NOTHING_SERVED = Health("nothing served")


@dataclass(frozen=True)
class Response:
    """What a call of the function gave: its health, the payload, the log's end, its request id."""

    health: Health
    payload: str
    log: str
    request_id: str

    def response(self) -> ProxyResponse:
        """Return what a caller of the API gets; raise ValueError if that is an error of it."""
        return ProxyResponse.from_payload(self.payload)

    def in_words(self) -> str:
        """Return in one line what the function itself says: its answer, and what it raised."""
        body = _body(self.payload)
        raised = _last_exception(self.log)
        return "; ".join(filter(None, (brief(body), brief(raised) if raised not in body else "")))


def brief(text: str) -> str:
    """Return text in one line that is short enough for an error's message."""
    line = one_line(text)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _last_exception(log_text: str) -> str:
    """Return the last line of the last traceback in a log: the exception and its message."""
    found, inside = "", False
    for line in log_text.splitlines():
        if line.startswith("Traceback (most recent call last):"):
            inside = True
        elif inside and line and not line[0].isspace():
            found, inside = line, False
    return found


def reports_database_down(body: str) -> bool:
    """Return whether an answer of /api/health says that the database is unavailable."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and answer.get("database") == "unavailable"


def database_is_down(first: str, second: str) -> str:
    """Return the sentence for a database that is unavailable for two versions alike."""
    return (
        f"the database is unavailable for {labels.version(first)}, and for "
        f"{labels.version(second)} as well: no release is to blame"
    )


def require_health(
    function: DeployedFunction,
    qualifier: str,
    no_worse_than: Health | None = None,
    *,
    other: str | None = None,
) -> Health:
    """Call /api/health of a version (or alias) directly, and return how it answered.

    Raises CheckFailedError, with what the function says, unless it answers 200 (or, with a
    database that is down for all versions, with the same HTTP status as `no_worse_than`). If it
    says that the database is unavailable, and the `other` version does, the error names that.
    """
    return require_healthy_response(function, qualifier, no_worse_than, other=other).health


def require_healthy_response(
    function: DeployedFunction,
    qualifier: str,
    no_worse_than: Health | None = None,
    *,
    other: str | None = None,
    patience_s: float = 0,
) -> Response:
    """Call as `require_health` does, and return the response; wait while it is 503."""
    deadline = time.monotonic() + patience_s
    answer = call(function, qualifier)
    while answer.health.outcome == "503" and time.monotonic() < deadline:
        time.sleep(2)
        answer = call(function, qualifier)
    found = answer.health
    as_bad = no_worse_than and found.outcome.isdigit() and found.outcome == no_worse_than.outcome
    if found.outcome == "200" or as_bad:
        return answer
    if found.database_down and other and get_health(function, other).database_down:
        raise CheckFailedError(
            f"health check failed: {database_is_down(qualifier, other)}",
            'See docs/runbook.md, "The database is down".',
        )
    raise CheckFailedError(
        f"health check failed: GET /api/health on {function.name}:{qualifier} returned "
        f"{found.outcome} (expected 200): {answer.in_words()}",
        "See the function's log.",
    )


def require_code(function: DeployedFunction, version: str, manifest: Manifest) -> None:
    """Raise CheckFailedError unless a published version has the bundle's code and layer."""
    published = function.client.get_function_configuration(
        FunctionName=function.name, Qualifier=version
    )
    wanted = manifest.function.sha256_base64
    if published["CodeSha256"] != wanted:
        raise CheckFailedError(
            f"{labels.version(version)} has code {published['CodeSha256']}, the bundle has "
            f"{wanted}",
            "Another user or process changed the function: see CloudTrail. Then deploy again.",
        )
    if not has_layer(function.client, published, manifest):
        raise CheckFailedError(
            f"the layer of {labels.version(version)} is not the bundle's",
            "Another user or process changed the stored package or the function. Find it in "
            "CloudTrail, and see docs/runbook.md, A stored bundle is missing or damaged.",
        )


def has_layer(
    functions: LambdaClient, published: FunctionConfigurationResponseTypeDef, manifest: Manifest
) -> bool:
    """Return whether a version has the bundle's layer, byte for byte, and no other."""
    layer = manifest.layer
    arns = [used["Arn"] for used in published.get("Layers", [])]
    digests = [layer_digest(functions, arn) for arn in arns]
    return digests == ([layer.sha256_base64] if layer else [])


def layer_digest(functions: LambdaClient, arn: str) -> str | None:
    """Return the digest of a layer version's content, or None if it was deleted."""
    name, number = arn.split(":")[-2:]
    found = absent_if(
        "ResourceNotFoundException",
        lambda: functions.get_layer_version(LayerName=name, VersionNumber=int(number)),
    )
    return found["Content"]["CodeSha256"] if found else None


def get_health(function: DeployedFunction, qualifier: str) -> Health:
    """Call /api/health as `require_health` does, for the record only: nothing is raised."""
    try:
        return call(function, qualifier).health
    except ClientError as error:
        return Health(f"AWS refused the call ({error_code(error)})")
    except BotoCoreError as error:
        return Health(f"AWS cannot be reached ({type(error).__name__})")


def wake(function: DeployedFunction, version: str) -> None:
    """Prepare a version that was not called for long.

    With SnapStart, or in a VPC, such a version is Inactive: the first call is refused, and wakes it
    ("Lambda function states" in the developer guide).
    """
    found = function.client.get_function_configuration(
        FunctionName=function.name, Qualifier=version
    )
    state = found.get("State", "Active")
    if state == "Active":
        return
    log.warning(f"{labels.version(version)} is {state}: it is called once, and waited for")
    get_health(function, version)
    function.wait_until_active(version)


def warm(function: DeployedFunction, version: str, at_once: int) -> Health:
    """Call /api/health `at_once` times at once, so that as many environments are there for callers.

    Returns how well it was answered at best, for some may be throttled.
    """
    with ThreadPoolExecutor(at_once) as pool:
        calls = [pool.submit(get_health, function, version) for _ in range(at_once)]
        found = [pending.result() for pending in calls]
    return next((health for health in found if health.outcome == "200"), found[0])


def start_health_check(function: DeployedFunction, qualifier: str) -> Future[Health]:
    """Do `get_health` in the background: what hangs holds nothing up."""
    pool = ThreadPoolExecutor(max_workers=1)
    found = pool.submit(get_health, function, qualifier)
    pool.shutdown(wait=False)
    return found


def call(
    function: DeployedFunction,
    qualifier: str,
    method: str = "GET",
    path: str = "/api/health",
    *,
    headers: Mapping[str, str] = {},
    body: str = "",
) -> Response:
    """Call a version (or alias) as API Gateway would for a request."""
    started = time.monotonic()
    answer = function.client.invoke(
        FunctionName=function.name,
        Qualifier=qualifier,
        LogType="Tail",
        Payload=json.dumps(_event(method, path, headers, body)).encode(),
    )
    payload = answer["Payload"].read().decode(errors="replace")
    milliseconds = round(1000 * (time.monotonic() - started))
    outcome = _outcome(payload, failed="FunctionError" in answer)
    database_down = outcome == "503" and reports_database_down(_body(payload))
    log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
    request_id = answer["ResponseMetadata"]["RequestId"]
    return Response(Health(outcome, milliseconds, database_down), payload, log, request_id)


def _event(method: str, path: str, headers: Mapping[str, str], body: str) -> dict[str, Any]:
    """Return what API Gateway sends for a request: payload format version 2.0."""
    event = {
        "version": "2.0",
        "routeKey": _ROUTE,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"accept": "application/json", "user-agent": "pipeline", **headers},
        "pathParameters": {"proxy": path.removeprefix("/api/")},
        "requestContext": {
            "accountId": "pipeline",
            "apiId": "pipeline",
            "domainName": "pipeline.invalid",
            "domainPrefix": "pipeline",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "pipeline",
            },
            "requestId": "pipeline",
            "routeKey": _ROUTE,
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": False,
    }
    return event | {"body": body} if body else event


def _body(payload: str) -> str:
    """Return the body of what the function returned, or the payload if it is no response."""
    try:
        return ProxyResponse.from_payload(payload).body.decode(errors="replace")
    except ValueError:
        return payload


def _outcome(payload: str, *, failed: bool) -> str:
    """Return the status that a caller gets, or what there is instead of a response."""
    try:
        if failed:
            return f"an error ({str(json.loads(payload)['errorType'])[:80]})"
        return str(ProxyResponse.from_payload(payload).status)
    except (ValueError, KeyError, TypeError, RecursionError):
        return "an error" if failed else "no HTTP response"
