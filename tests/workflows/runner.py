"""Run a workflow file with act, or one script of it, and return what happened.

run = runner.run("pull_request", "ci.yml", {"number": 7, …})
assert run.succeeded and run.step("Plan staging", "Plan").result == "success"
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from scratch.project import Project
from scratch.source import ROOT
from tests.support import provider
from tests.workflows import act_log, local_actions, trust
from tests.workflows.act_log import Run
from tests.workflows.fake_github import REPOSITORY, Hub, serving
from tests.workflows.local_actions import FAKE_ACTIONS
from tests.workflows.network import Network
from tests.workflows.repository import Repository

_BIN = Path(sys.executable).parent
_WORKFLOWS = ROOT / ".github" / "workflows"
# act replaces it wherever it occurs, so it must be nothing that occurs.
_TOKEN = "ghs_forTheStandIn0123456789"


@dataclass
class Script:
    """How the script of a step ended, what it printed, its outputs, and its job summary."""

    succeeded: bool
    log: str
    outputs: dict[str, str]
    summary: str


@dataclass
class Runner:
    """Runs the workflows of a repository, with a hub for GitHub and a cloud for AWS.

    `running_provider` lets Terraform use the provider that `tests.support.provider` keeps running.
    It calls AWS with the role of the job that got one last.
    """

    repository: Repository
    hub: Hub
    cloud: Mapping[str, str]
    running_provider: Mapping[str, str] = field(default_factory=dict)
    _runs: int = 0
    _attempt: int = 1

    def run(
        self,
        event_name: str,
        workflow: str,
        event: dict[str, Any],
        *,
        job: str | None = None,
        variables: bool = True,
        pages: bool = False,
        own_provider: bool = False,
        again: bool = False,
        network: Network | None = None,
    ) -> Run:
        """Run a workflow as `event_name` would start it, to its end, in the clone as it lies there.

        With `job`, only that one (its id) and those that it needs; without `variables`, as if the
        repository's were not set; with `pages`, as if it wanted GitHub Pages; with `own_provider`,
        Terraform starts its provider itself, as on GitHub; with `again`, as the next attempt of the
        last run; with `network`, that is all there is beyond GitHub and AWS. Fails if a role does
        not trust the job that got it.
        """
        folder = self._next_folder(again)
        self.credentials.unlink(missing_ok=True)
        settings = self._settings(workflow) | ({} if own_provider else dict(self.running_provider))
        settings |= network.settings() if network else {}
        (folder / "event.json").write_text(json.dumps(event))
        command = [
            *(str(_BIN / "act"), event_name, "--workflows", f".github/workflows/{workflow}"),
            *("--eventpath", str(folder / "event.json"), "--json", "--verbose"),
            *[
                argument
                for image in ("24.04", "26.04", "slim")
                for argument in ("--platform", f"ubuntu-{image}=-self-hosted")
            ],
            *("--no-cache-server", "--concurrent-jobs", "1"),
            *("--action-cache-path", str(folder / "cache"), "--actor", "octocat"),
            *("--secret", f"GITHUB_TOKEN={_TOKEN}"),
            *(_VARIABLES if variables and not _gets_no_variables(event) else ()),
            *(("--var", "PAGES=on") if pages else ()),
            *[f"--{kind}-file=/dev/null" for kind in ("env", "secret", "var", "input")],
            *[part for setting in settings.items() for part in ("--env", "=".join(setting))],
            *local_actions.write(folder / "actions"),
            *(("--job", job) if job else ()),
        ]
        kept = self._begun(workflow, event_name, event)
        process = subprocess.Popen(
            command,
            cwd=self.repository.clone,
            env=self._environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            log, _ = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        run = act_log.read(log, process.returncode == 0)
        kept["status"] = "success" if run.succeeded else "failure"
        self._record_deployments(run, workflow, event)
        self._check_identities(run, workflow, event_name, event)
        return run

    def script(
        self,
        workflow: str,
        job: str,
        step: str,
        *,
        project: Project | None = None,
        **environment: str,
    ) -> Script:
        """Run the script of one step alone, with the values that its expressions would have.

        With `project`, it runs there, with that project's access to AWS; else in an empty folder.
        """
        folder = self._next_folder()
        outputs, summary = folder / "outputs", folder / "summary"
        for file in (outputs, summary):
            file.touch()
        own = self._environment(folder)
        if project:
            own |= self._settings(workflow) | project.environment
            own["PATH"] = f"{self._python(folder)}:{own['PATH']}:{_terraform().parent}"
        steps = yaml.safe_load((_WORKFLOWS / workflow).read_text())["jobs"][job]["steps"]
        [script] = [each["run"] for each in steps if each["name"] == step]
        done = subprocess.run(
            ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=project.folder if project else folder,
            env=self._settings(workflow)
            | own
            | {
                "GITHUB_ACTIONS": "true",
                "GITHUB_OUTPUT": str(outputs),
                "GITHUB_STEP_SUMMARY": str(summary),
                "GITHUB_REPOSITORY": REPOSITORY,
                "GITHUB_REPOSITORY_OWNER": REPOSITORY.partition("/")[0],
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_REF": "refs/heads/main",
                "GH_TOKEN": _TOKEN,
            }
            | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Script(
            done.returncode == 0, done.stdout, _outputs(outputs.read_text()), summary.read_text()
        )

    def project(self, folder: Path) -> Project:
        """Return the copy of the project in `folder`, for commands until the next run."""
        self.hub.state.mkdir(parents=True, exist_ok=True)
        provider.write_credentials(self.credentials, self.cloud)
        return Project(folder, {**self.cloud, **self.running_provider})

    @property
    def credentials(self) -> Path:
        """The file with the credentials of the running provider."""
        return self.hub.state / "credentials"

    def _next_folder(self, again: bool = False) -> Path:
        self._runs, self._attempt = (
            (self._runs, self._attempt + 1) if again else (self._runs + 1, 1)
        )
        folder = self.hub.state / f"run-{self._runs}-{self._attempt}"
        folder.mkdir(parents=True)
        return folder

    def _python(self, folder: Path) -> Path:
        """Make a folder with `python` in it, and nothing else that is next to the real one."""
        programs = folder / "python"
        programs.mkdir()
        (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (programs / "python").chmod(0o755)
        return programs

    def _begun(self, workflow: str, event_name: str, event: dict[str, Any]) -> dict[str, Any]:
        """Have the hub list a run, from its start on, as GitHub does; return what it keeps."""
        pull_request = event.get("pull_request")
        source = pull_request["head"] if pull_request else {"repo": {"full_name": REPOSITORY}}
        kept = {
            "id": int(self.run_id),
            "workflow": workflow,
            "event": event_name,
            "status": "in_progress",
            "head_sha": source.get("sha") or self.repository.git("rev-parse", "HEAD"),
            "head_branch": source.get("ref", "main"),
            "head_repository": source["repo"],
        }
        self.hub.runs.append(kept)
        return kept

    def _record_deployments(self, run: Run, workflow: str, event: dict[str, Any]) -> None:
        if not (_WORKFLOWS / workflow).exists():
            return
        commit = self.repository.git("rev-parse", "HEAD")
        for job in run.jobs.values():
            lineage = trust.lineage(workflow, job.name, job.id)
            environment = trust.environment(lineage, event.get("inputs", {}))
            if environment and job.result != "skipped":
                self.hub.deployed(environment, commit, job.result.upper())

    def artifact(self, name: str) -> Path:
        """Return the folder of an artifact of the last attempt; there may be none."""
        return self.hub.state / "artifacts" / self.run_id / str(self._attempt) / name

    @property
    def run_id(self) -> str:
        """The id of the run that was last."""
        return str(1000 + self._runs)

    def _settings(self, workflow: str) -> dict[str, str]:
        """Return what every job finds in its environment: where this machine's parts are."""
        # Not the credentials: those are for a job that assumes a role.
        cloud = {
            name: self.cloud[name]
            for name in ("AWS_ENDPOINT_URL", "TF_CLI_CONFIG_FILE", "TF_VAR_api_keys")
            if name in self.cloud
        }
        return cloud | {
            "GITHUB_RUN_ID": self.run_id,
            "GITHUB_RUN_ATTEMPT": str(self._attempt),
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.hub.url}/oidc?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "for-the-stand-in",
            "AWS_EC2_METADATA_DISABLED": "true",
            "STAND_IN_STATE": str(self.hub.state),
            "STAND_IN_CREDENTIALS": str(self.credentials),
            "STAND_IN_HUB": self.hub.url,
            "STAND_IN_ORIGIN": str(self.repository.origin),
            "STAND_IN_PYTHON": sys.executable,
            "STAND_IN_TERRAFORM": str(_terraform()),
            "STAND_IN_WORKFLOW": workflow,
            # Where Terraform has to download its provider, it does so once.
            **({} if "TF_CLI_CONFIG_FILE" in cloud else {"TF_PLUGIN_CACHE_DIR": self._plugins()}),
            # Where the real configure-aws-credentials, if that is used, looks for AWS.
            "AWS_ENDPOINT_URL_STS": cloud.get("AWS_ENDPOINT_URL", ""),
            "VENV": str(self._venv()),
            "MYPY_CACHE_DIR": str(self.hub.state / "mypy"),
        }

    def _venv(self) -> Path:
        """Return where make finds what it installs: here, or in a folder that it may empty.

        make empties a VENV that was not made of these lock files, and this Python with it.
        """
        locks = ("requirements.txt", "localcloud/runtime.txt", "localcloud/rie.txt")
        content = b"".join((ROOT / name).read_bytes() for name in locks)
        digest = subprocess.run(["cksum"], input=content, capture_output=True, check=True).stdout
        ready = _BIN.parent / f"ready-{digest.split()[0].decode()}"
        return _BIN.parent if ready.exists() else self.hub.state / "venv"

    def _plugins(self) -> str:
        folder = self.hub.state / "plugins"
        folder.mkdir(exist_ok=True)
        return str(folder)

    def _environment(self, folder: Path) -> dict[str, str]:
        """Return act's own environment: what a runner has, and how to reach the package index."""
        programs = folder / "bin"
        programs.mkdir()
        for name, program in (
            ("gh", _GH.format(gh=_BIN / "gh")),
            ("bash", _BASH),
            ("aws", _AWS),
            ("python3", f'#!/bin/sh\nexec {_python_of_the_image()} -I "$@"\n'),
        ):
            (programs / name).write_text(program)
            (programs / name).chmod(0o755)
        # Without Terraform: a job has it once it has set it up.
        path = [programs, "/usr/bin", "/bin"]
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("PIP_", "UV_", "SSL_", "REQUESTS_"))
            or name.lower().endswith("_proxy")
        }
        return inherited | {
            "PATH": ":".join(map(str, path)),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "NO_COLOR": "1",
        }

    def _check_identities(
        self, run: Run, workflow: str, event_name: str, event: dict[str, Any]
    ) -> None:
        for name, job in run.jobs.items():
            for identity, role in zip(job.identities, job.roles, strict=False):
                lineage = trust.lineage(workflow, job.name, job.id)
                assert trust.may_have_identity(lineage), f"{name} may not ask for a token"
                inputs = event.get("inputs", {})
                main = "refs/heads/main"
                asking = trust.subject(lineage, event_name, main, inputs)
                if role.endswith("-plan"):  # which trusts every workflow's jobs
                    identity = identity.partition(" in ")[0]
                else:
                    asking += f" in {trust.workflow_ref(workflow, job.name, main)}"
                assert identity == asking, f"GitHub vouches for {asking}, not for {identity}"


@contextmanager
def on_a_hub(folder: Path, cloud: Mapping[str, str]) -> Iterator[Runner]:
    """Yield a runner of a new repository in `folder`, on a hub; the `cloud` may be empty."""
    repository = Repository(folder)
    with serving(Hub(repository.origin, folder / "state")) as hub:
        yield Runner(repository, hub, cloud)


_VARIABLES = tuple(
    argument
    for value in (
        "AWS_ACCOUNT_ID=123456789012",
        "AWS_REGION=us-east-1",
        "AWS_ROLE_PREFIX=arn:aws:iam::123456789012:role/mongo-client-",
        "SERVICE=mongo-client",
    )
    for argument in ("--var", value)
)


def _terraform() -> Path:
    found = shutil.which("terraform")
    assert found
    return Path(found)


def _python_of_the_image() -> Path:
    """Return a Python 3.12, as ubuntu-24.04 has it, if there is one here, and else this one.

    It cannot import what is installed for this process (`-I`).
    """
    found = sorted(Path.home().glob(".pyenv/versions/3.12.*/bin/python3.12"))
    found += map(Path, filter(None, [shutil.which("python3.12")]))
    here = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    return next((each for each in found if "shims" not in each.parts), here)


def _outputs(text: str) -> dict[str, str]:
    """Read what a step wrote into GITHUB_OUTPUT: `name=value`, or `name<<END`, lines, and END."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, is_block, end = line.partition("<<")
        if is_block and "=" not in name:
            found[name] = "\n".join(itertools.takewhile(end.__ne__, lines))
        else:
            name, _, value = line.partition("=")
            found[name] = value
    return found


def _gets_no_variables(event: dict[str, Any]) -> bool:
    """Return whether a run has no repository variables: a fork's run, but not Dependabot's.

    https://github.com/orgs/community/discussions/44322 and 44088
    """
    pull_request = event.get("pull_request")
    return pull_request is not None and pull_request["head"]["repo"]["full_name"] != REPOSITORY


# When a step fails, act closes its terminal at once, and with it goes what was not yet read. (It
# waits for the rest only when a step did well.) So a step that failed stays for a moment.
_BASH = """#!/bin/sh
/bin/bash "$@"
ended=$?
[ $ended = 0 ] || sleep 3
exit $ended
"""

# The image has AWS's own client.
_AWS = """#!/bin/sh
exec "$STAND_IN_PYTHON" {fake_actions} aws "$@"
""".replace("{fake_actions}", str(FAKE_ACTIONS))

# The real client, but for attestations, which need services that are not here.
_GH = """#!/bin/sh
if [ "$1 $2" = "attestation verify" ]; then
  shift
  exec "$STAND_IN_PYTHON" {fake_actions} attestation "$@"
fi
export GH_HOST=github.localhost HTTP_PROXY="$STAND_IN_HUB" http_proxy= NO_PROXY= no_proxy=
exec {gh} "$@"
""".replace("{fake_actions}", str(FAKE_ACTIONS))
