"""The service as it is deployed, to release to and to roll back: ours and Terraform alone in turn.

Terraform starts its provider in every command, as it has for people and in jobs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path


from benchmarks.measure import Cost, run_child
from benchmarks.workspace import Workspace
from pipeline.bundle import store
from pipeline.terraform import runner
from pipeline.aws import Aws
from pipeline.bundle.manifest import Bundle
from pipeline.config import Environment
from pipeline.release.ledger import Ledger, Release
from pipeline.target import Target
from scratch import cloud
from scratch.mongodb import own_mongod
from scratch.project import Project

LOCAL = ("--environment", "local")
FUNCTION = "mongo-client-local"


@dataclass
class Released:
    """A project that a cloud of its own serves, and bundles of it that differ in their code."""

    project: Project
    terraform_data: Path
    _bundles: list[Path] = field(default_factory=list)

    def new_bundle(self) -> Path:
        """Build a bundle with unique code, and store it."""
        number = len(self._bundles)
        self.project.append_to_handler(f"\n# change {number}\n")
        folder = self.project.folder / f"bundle-{number}"
        self.project.must("build", "--out", str(folder))
        self._bundles.append(folder)
        return folder

    def deploy(self, bundle: Path) -> Cost:
        """Deploy a bundle, all at once."""
        return self._run(
            self.project.command("deploy", *LOCAL, "--bundle", str(bundle), "--all-at-once")
        )

    def store(self, bundle: Path) -> None:
        """Upload a bundle for Terraform, which expects it there."""
        store.put(self.aws, Bundle.read(bundle))

    def terraform_apply(self, bundle: Path) -> Cost:
        """Let Terraform alone apply a stored bundle."""
        given = self.project.folder / "given.tfvars.json"
        manifest = Bundle.read(bundle).manifest
        given.write_text(json.dumps(runner.bundle_variables(self.aws, manifest)))
        files = ["environments/local/terraform.tfvars", given]
        return self._terraform(
            "apply", "-auto-approve", "-input=false", *(f"-var-file={file}" for file in files)
        )

    def terraform_init(self) -> Cost:
        """Let Terraform set itself up for the environment."""
        backend = {
            "bucket": self.aws.state_bucket,
            "key": "mongo-client/local.tfstate",
            "region": self.aws.region,
            "use_path_style": "true",
        }
        settings = [f"-backend-config={name}={value}" for name, value in backend.items()]
        return self._terraform(
            "init", "-input=false", "-reconfigure", "-lockfile=readonly", *settings
        )

    def live(self) -> str:
        """Return the version that live points to."""
        found = self.aws.functions.get_alias(FunctionName=FUNCTION, Name="live")
        return found["FunctionVersion"]

    def newest(self) -> Release:
        """Return what the ledger has last."""
        found = Ledger(Target(self.aws, Environment("local"))).newest()
        assert found
        return found

    def _terraform(self, *arguments: str) -> Cost:
        command = ["terraform", f"-chdir={self.project.folder / 'terraform'}", *arguments]
        return self._run(command)

    def _run(self, command: Sequence[str]) -> Cost:
        environment = self.project.process_environment()
        environment |= {"TF_DATA_DIR": str(self.terraform_data), "TF_IN_AUTOMATION": "1"}
        return run_child(command, cwd=self.project.folder, env=environment)

    @cached_property
    def aws(self) -> Aws:
        """The account, as its owner sees it."""
        return self.project.account()


@contextmanager
def released(workspace: Workspace, name: str) -> Iterator[Released]:
    """Yield a service with a first release."""
    folder = workspace.new_folder(name)
    with own_mongod() as server, cloud.running(folder / "cloud", server.uri) as settings:
        found = Released(Project.copy_to(folder / "project", settings), folder / "terraform")
        found.deploy(found.new_bundle())
        yield found
