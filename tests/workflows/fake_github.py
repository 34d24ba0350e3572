"""GitHub's API on this machine, as much of it as the workflows ask, for the real `gh` to talk to.

Every request is kept. What it does not know it answers with 501, and keeps in `unexpected`.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.workflows.fake_actions import OWNER_ID, REPOSITORY_ID, artifact_id, artifacts

REPOSITORY = "octo-org/mongo-client"
_ROOT = f"/repos/{REPOSITORY}"

Answer = tuple[int, Any]
# A token's claims in addition to its subject and its ref: the action's stand-in requests them.
_CLAIMS = ("repository_id", "job_workflow_ref")


@dataclass
class Hub:
    """The state of a repository on GitHub: `origin` is bare, `state` is the stand-ins' folder."""

    origin: Path
    state: Path
    pull_requests: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    issues: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, str]] = field(default_factory=list)
    # The rules of main, as `rules/branches/main` lists them.
    rules: list[dict[str, Any]] = field(default_factory=list)
    code_owners_errors: list[dict[str, Any]] = field(default_factory=list)
    reviewers_of: dict[str, bool] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    # What a run does when it is cancelled, by its id.
    on_cancel: dict[str, Callable[[], None]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        """Answer one request."""
        self.requests.append((method, path))
        for wanted, pattern, reply in self._routes():
            if wanted == method and (match := re.fullmatch(pattern, path)):
                return reply(query, body, *match.groups())
        self.unexpected.append(f"{method} {path}")
        return 501, {"message": "this stand-in does not know that"}

    def deployed(self, environment: str, commit: str, state: str = "SUCCESS") -> None:
        """Record a deployment as GitHub does when a job with an environment ends."""
        self.deployments.append({"environment": environment, "commit": commit, "state": state})

    def git(self, *arguments: str) -> str:
        """Run git in origin, and return what it says; empty if it fails."""
        command = ["git", "-C", str(self.origin), *arguments]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    def _routes(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        return [
            ("GET", "/oidc", self._token),
            ("POST", "/graphql", self._graphql),
            ("GET", _ROOT, self._repository),
            ("GET", f"{_ROOT}/actions/oidc/customization/sub", self._subject),
            ("GET", f"{_ROOT}/rules/branches/main", self._rules),
            ("GET", f"{_ROOT}/codeowners/errors", self._code_owners),
            ("GET", f"{_ROOT}/pulls/(\\d+)", self._pull_request),
            ("GET", f"{_ROOT}/commits/([0-9a-f]{{40}})/pulls", self._pull_requests_of),
            ("GET", f"{_ROOT}/commits/(\\S+)", self._commit),
            ("GET", f"{_ROOT}/compare/(\\S+)\\.\\.\\.(\\S+)", self._compare),
            ("GET", f"{_ROOT}/environments/(\\S+)", self._environment),
            ("GET", f"{_ROOT}/actions/variables/(\\w+)", self._variable),
            ("GET", f"{_ROOT}/actions/workflows/(\\S+)/runs", self._runs),
            ("GET", f"{_ROOT}/actions/runs/(\\d+)/artifacts", self._artifacts),
            ("POST", f"{_ROOT}/actions/runs/(\\d+)/cancel", self._cancel),
            ("GET", f"{_ROOT}/actions/artifacts/(\\d+)/zip", self._artifact),
            ("GET", f"{_ROOT}/issues", self._issues),
            ("POST", f"{_ROOT}/issues", self._open_issue),
            ("PATCH", f"{_ROOT}/issues/(\\d+)", self._edit_issue),
            ("GET", f"{_ROOT}/issues/(\\d+)/comments", self._comments),
            ("POST", f"{_ROOT}/issues/(\\d+)/comments", self._comment),
            ("PATCH", f"{_ROOT}/issues/comments/(\\d+)", self._edit_comment),
        ]

    def _token(self, query: dict[str, str], _: Any) -> Answer:
        claims = {
            "iss": "https://token.actions.githubusercontent.com",
            "aud": query.get("audience", f"https://github.com/{REPOSITORY.partition('/')[0]}"),
            "sub": query.get("sub", f"repo:{REPOSITORY}:environment:github-pages"),
            "ref": query.get("ref", "refs/heads/main"),
            **{name: query[name] for name in _CLAIMS if name in query},
        }
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return 200, {"value": f"e30.{payload}.c2lnbmF0dXJl"}

    def _repository(self, _: Any, __: Any) -> Answer:
        return 200, {"id": int(REPOSITORY_ID), "owner": {"id": int(OWNER_ID)}}

    def _subject(self, _: Any, __: Any) -> Answer:
        return 200, {"use_default": True}

    def _rules(self, _: Any, __: Any) -> Answer:
        return 200, self.rules

    def _code_owners(self, _: Any, __: Any) -> Answer:
        return 200, {"errors": self.code_owners_errors}

    def _graphql(self, _: Any, body: Any) -> Answer:
        """Answer the two GraphQL queries that are made."""
        query, variables = body["query"], body["variables"]
        assert (variables["owner"], variables["name"]) == tuple(REPOSITORY.split("/"))
        if "deployments(" in query:
            return self._deployments(query, variables)
        requested = re.findall(
            r'(c\d+): object\(oid: "([0-9a-f]{40})"\) \{ \.\.\. on Commit \{ '
            r"associatedPullRequests\(first: 10\) \{ nodes \{\s+merged baseRefName "
            r"labels\(first: 100\) \{ nodes \{ name \} \} \} \} \} \}",
            query,
        )
        assert requested and len(requested) == query.count("object(")
        found = {
            alias: {
                "associatedPullRequests": {
                    "nodes": [
                        {
                            "merged": pull_request["merged_at"] is not None,
                            "baseRefName": pull_request["base"]["ref"],
                            "labels": {"nodes": pull_request["labels"]},
                        }
                        for pull_request in self._pull_requests_of(None, None, sha)[1]
                    ]
                }
            }
            for alias, sha in requested
        }
        return 200, {"data": {"repository": found}}

    def _deployments(self, query: str, variables: Any) -> Answer:
        requested = re.search(r"deployments\((.*?)\) {\s+nodes { ([^}]+ } )}", query, re.DOTALL)
        assert requested and requested[2] == "commitOid latestStatus { state } "
        found = self.deployments
        if "environments: [$environment]" in requested[1]:
            found = [each for each in found if each["environment"] == variables["environment"]]
        if "orderBy: {field: CREATED_AT, direction: DESC}" in requested[1]:
            found = found[::-1]
        nodes = [
            {"commitOid": each["commit"], "latestStatus": {"state": each["state"]}}
            for each in found
        ]
        return 200, {"data": {"repository": {"deployments": {"nodes": nodes}}}}

    def _pull_request(self, _: Any, __: Any, number: str) -> Answer:
        return 200, self.pull_requests[int(number)]

    def _pull_requests_of(self, _: Any, __: Any, sha: str) -> Answer:
        return 200, [
            {"merged_at": pull_request["merge_commit_sha"], "base": {"ref": "main"}, **pull_request}
            for pull_request in self.pull_requests.values()
            if sha in (pull_request["merge_commit_sha"], pull_request.get("head", {}).get("sha"))
        ]

    def _commit(self, _: Any, __: Any, ref: str) -> Answer:
        return 200, {"sha": self.git("rev-parse", ref)}

    def _compare(self, _: Any, __: Any, base: str, head: str) -> Answer:
        ours, theirs = self.git("rev-parse", base), self.git("rev-parse", head)
        common = self.git("merge-base", ours, theirs)
        status = {ours: "ahead", theirs: "behind"}.get(common, "diverged")
        commits = self.git("rev-list", "--reverse", f"{ours}..{theirs}").split()
        return 200, {
            "status": "identical" if ours == theirs else status,
            "commits": [{"sha": commit} for commit in commits],
        }

    def _variable(self, _: Any, __: Any, name: str) -> Answer:
        if name not in self.variables:
            return 404, {"message": "Not Found"}
        return 200, {"name": name, "value": self.variables[name]}

    def _environment(self, _: Any, __: Any, name: str) -> Answer:
        if name not in self.reviewers_of:
            return 404, {"message": "Not Found"}
        rules = [{"type": "required_reviewers"}] if self.reviewers_of[name] else []
        return 200, {"name": name, "protection_rules": [{"type": "branch_policy"}, *rules]}

    def _runs(self, query: dict[str, str], _: Any, workflow: str) -> Answer:
        wanted = {
            {"branch": "head_branch"}.get(name, name): value
            for name, value in query.items()
            if name != "per_page"
        } | {"workflow": workflow}
        found = [run for run in self.runs[::-1] if wanted.items() <= run.items()]
        return 200, {"total_count": len(found), "workflow_runs": found}

    def _artifacts(self, query: dict[str, str], _: Any, run: str) -> Answer:
        folder = self.state / "artifacts" / run
        found: list[dict[str, Any]] = [
            {
                "id": int(artifact_id(artifact)),
                "name": artifact.name,
                "size_in_bytes": 1,
                "expired": False,
                "created_at": f"2026-11-28T10:00:{int(artifact.parent.name):02d}Z",
            }
            for artifact in artifacts(folder)
            if query.get("name") in (None, artifact.name)
        ]
        for each in found:
            number = each["id"]
            each["archive_download_url"] = (
                f"http://api.github.localhost{_ROOT}/actions/artifacts/{number}/zip"
            )
        return 200, {"total_count": len(found), "artifacts": found}

    def _cancel(self, _: Any, __: Any, run: str) -> Answer:
        self.on_cancel[run]()
        return 202, {}

    def _artifact(self, _: Any, __: Any, number: str) -> Answer:
        folder = self._kept(number)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, path.relative_to(folder))
        return 200, content.getvalue()

    def _kept(self, number: str) -> Path:
        """Return the folder of an artifact."""
        folders = (self.state / "artifacts").glob("*/*/*")
        return next(folder for folder in folders if artifact_id(folder) == number)

    @property
    def sites(self) -> list[Path]:
        """The folders of the artifacts that GitHub Pages was given, the oldest first."""
        return sorted((self.state / "sites").iterdir())

    def _issues(self, query: dict[str, str], _: Any) -> Answer:
        return 200, [
            issue
            for issue in self.issues
            if issue["state"] == query["state"] and query["labels"] in issue["labels"]
        ]

    def _open_issue(self, _: Any, body: Any) -> Answer:
        author = {"login": "github-actions[bot]"}
        issue = {"number": 100 + len(self.issues), "state": "open", "user": author, **body}
        self.issues.append(issue)
        return 201, issue

    def _edit_issue(self, _: Any, body: Any, number: str) -> Answer:
        [issue] = [each for each in self.issues if each["number"] == int(number)]
        issue.update(body)
        return 200, issue

    def _comments(self, query: dict[str, str], _: Any, number: str) -> Answer:
        return 200, self.comments.get(int(number), [])

    def _comment(self, _: Any, body: Any, number: str) -> Answer:
        every = sum(self.comments.values(), [])
        comment = {"id": 500 + len(every), "user": {"login": "github-actions[bot]"}, **body}
        self.comments.setdefault(int(number), []).append(comment)
        return 201, comment

    def _edit_comment(self, _: Any, body: Any, number: str) -> Answer:
        every = sum(self.comments.values(), [])
        [comment] = [each for each in every if each["id"] == int(number)]
        comment.update(body)
        return 200, comment


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve a hub over HTTP on a free port; at the end insist that it knew every question."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # `gh` takes the server for a proxy, and names the host in the path.
            url = urlsplit(self.path)
            sent = self._body()
            body = json.loads(sent) if sent else None
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            if "Authorization" not in self.headers:
                status, text = 401, {"message": "Requires authentication"}
            else:
                status, text = hub.answer(self.command, url.path, query, body)
            content = text if isinstance(text, bytes) else json.dumps(text).encode()
            self.send_response(status)
            kind = "application/zip" if isinstance(text, bytes) else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PATCH = do_GET

        def _body(self) -> bytes:
            """Read what was sent: in chunks, as `gh` does of its standard input, or at once."""
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            sent = b""
            while size := int(self.rfile.readline(), 16):
                sent += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return sent

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
    assert hub.unexpected == []


def settings_of_gh(hub: Hub, folder: Path) -> dict[str, str]:
    """Return what makes the `gh` that a command starts talk to a hub; `folder` is for gh's own."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GH_CONFIG_DIR": str(folder),
        "GH_HOST": "github.localhost",
        "GH_TOKEN": "for-the-stand-in",
        "HTTP_PROXY": hub.url,
    }
