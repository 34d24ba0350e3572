"""The hosts beyond GitHub and AWS, as the jobs of a run reach them: refused until they are open.

The stand-ins ask here for the hosts from which the real things download. It is also the proxy of
everything that a job starts, and refuses what nobody stands in for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Network:
    """The requested hosts: those that were reached, and those that were refused."""

    is_open: Callable[[], bool]
    url: str = ""
    reached: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def settings(self) -> dict[str, str]:
        """Return what makes the programs of a job use this network."""
        proxies = {
            name: self.url for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        }
        around = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        return {"STAND_IN_NETWORK": self.url, **proxies, **around}


@contextmanager
def serving(is_open: Callable[[], bool]) -> Iterator[Network]:
    """Serve a network on a free port."""
    network = Network(is_open)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer a stand-in, which names the host in the path."""
            self.send_response(200 if self._is_reached(self.path.lstrip("/")) else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_CONNECT(self) -> None:
            """Refuse what nobody stands in for, even if it would be reached on GitHub by now."""
            self._is_reached(self.path.partition(":")[0])
            self.send_error(503)

        def _is_reached(self, host: str) -> bool:
            is_open = network.is_open()
            (network.reached if is_open else network.refused).append(host)
            return is_open

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    network.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield network
    finally:
        server.shutdown()
        server.server_close()
