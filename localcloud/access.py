"""Who called what: every call of AWS is written down, and a role's calls need its permission."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any, cast

from flask import Flask, request
from moto.core.request import Request

from localcloud import api_calls

_NAMES = {"awslambda": "lambda"}


class Access:
    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._writing = threading.Lock()

    def watch(self, application: Flask, service: str) -> None:
        def after(response):
            call = api_calls.read(_NAMES.get(service, service), request._get_current_object())
            with self._writing, self._journal.open("a") as f:
                if call is None:
                    f.write(json.dumps({"service": service, "unknown": f"{request.method} {request.full_path}", "ct": request.content_type}) + "\n")
                else:
                    key = re.search(r"Credential=([^/]+)/", request.headers.get("Authorization", ""))
                    f.write(json.dumps({"service": service, "operation": call.operation, "parameters": {k: v for k, v in call.parameters.items() if k not in ("Body", "Payload")}, "status": response.status_code, "key": key[1] if key else None}, default=str) + "\n")
            return response
        application.after_request(after)
