"""Call the API at its own URL, as its callers do: Invoke goes past API Gateway.

A route, an integration, a permission or a mapping that is wrong makes API Gateway answer by itself,
and Lambda counts nothing. Source of what it answers then: "Troubleshooting issues with HTTP APIs"
in the API Gateway developer guide.
"""

from __future__ import annotations

import logging
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from pipeline.traffic.invoke import Health, brief
from pipeline.errors import CheckFailedError

log = logging.getLogger(__name__)

# What was changed just now takes a while to be deployed, or to hold everywhere.
_PATIENCE_S = 15
_PATIENCE_AFTER_CHANGE_S = 60
_PAUSE_S = 1
# An HTTP API gives up after 30 seconds: "Quotas for HTTP APIs".
_TIMEOUT_S = 35
_PATH = "/api/health"

_CAUSES = {
    "401": "its route requires a token: /api/health needs its own route without an authorizer",
    "403": "no stage or no mapping of the domain matches, or a policy refuses the request",
    "404": "no route or no stage matches",
    "429": "the stage throttles the request",
    "500": "API Gateway has no permission for the alias, or the integration names another function",
    "503": "the integration does not answer",
}


# The resources that decide whether callers reach live.
RESOURCE_TYPES = ("aws_apigatewayv2_", "aws_lambda_permission")


def patience_s(*, changed: bool) -> float:
    """Return how long to wait for the API, whether its resources were changed just now or not."""
    return _PATIENCE_AFTER_CHANGE_S if changed else _PATIENCE_S


def urls(outputs: Mapping[str, Any]) -> Iterator[str]:
    """Yield where callers reach the API, by Terraform's outputs.

    The DNS record of a domain of its own is made by a person; until then nobody comes that way.
    """
    yield outputs["api_url"]
    if custom := outputs.get("custom_url"):
        try:
            socket.getaddrinfo(urlsplit(custom).hostname, None)
        except OSError:
            log.warning(f"{custom} is not called: it has no DNS record yet")
        else:
            yield custom


def require_answer(
    url: str,
    live: Callable[[], Health],
    patience: float,
    *,
    pause_s: float = _PAUSE_S,
) -> Health:
    """Call /api/health at the API's URL until it answers 200, and return how it answered.

    With a database that is down for all versions, the same status will do that `live` answers with
    when it is called directly. Raises CheckFailedError after `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        health, body = get_health(url)
        if health.outcome == "200" or health.outcome == (direct := live()).outcome:
            return health
        if time.monotonic() > deadline:
            break
        time.sleep(pause_s)
    cause = _CAUSES.get(health.outcome, "nothing answers there")
    raise CheckFailedError(
        f"GET {url}{_PATH} returned {health.outcome} (expected 200): {brief(body)}\n"
        f"A direct call of live returned {direct.outcome}. Probable cause: {cause}",
        "Check the API's route, integration and stage, the alias's permission and, with a custom "
        "domain, its mapping. `plan` shows what changes of them.",
    )


def get_health(url: str) -> tuple[Health, str]:
    """Call /api/health at the API's URL, as a caller does.

    Returns how it answered, and the beginning of the body, or why there is none.
    """
    request = urllib.request.Request(
        url + _PATH, headers={"accept": "application/json", "user-agent": "pipeline"}
    )
    started = time.monotonic()
    try:
        with closing(urllib.request.urlopen(request, timeout=_TIMEOUT_S)) as answer:
            status, body = answer.status, answer.read(500)
    except urllib.error.HTTPError as refusal:
        with closing(refusal):
            status, body = refusal.code, refusal.read(500)
    except (OSError, HTTPException) as problem:
        return Health("no answer"), str(problem)
    milliseconds = round(1000 * (time.monotonic() - started))
    return Health(str(status), milliseconds), body.decode(errors="replace")
