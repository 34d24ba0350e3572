"""What API Gateway answers its caller for what a function returned: payload format version 2.0.

Source: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs".
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class ProxyResponse:
    """The HTTP response: its status, and its body, unpacked if it was packed with gzip."""

    status: int
    body: bytes

    @classmethod
    def from_payload(cls, payload: str) -> Self:
        """Read what the function returned; raise ValueError if API Gateway would answer 500."""
        try:
            returned = json.loads(payload)
            if not isinstance(returned, dict) or "statusCode" not in returned:
                # All that has no status is the body of a 200.
                text = returned if isinstance(returned, str) else json.dumps(returned)
                return cls(200, text.encode())
            body = (returned.get("body") or "").encode()
            if returned.get("isBase64Encoded"):
                body = base64.b64decode(body)
            headers = {
                name.lower(): value for name, value in (returned.get("headers") or {}).items()
            }
            if headers.get("content-encoding") == "gzip":
                body = _unpacked(body)
            return cls(int(returned["statusCode"]), body)
        except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise ValueError(f"it is not a response that API Gateway accepts: {error}") from error

    def json(self) -> Any:
        """Return the body as JSON; raise ValueError if it is none."""
        return json.loads(self.body)


def _unpacked(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"its body is not valid gzip: {error}") from error
