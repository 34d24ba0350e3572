"""What several benchmarks need: a folder, our bundle, and SAM's build of the same source."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks import measure
from scratch.project import Project
from scratch.source import ROOT

APPS = Path(__file__).parent / "apps"

_TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Layer:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: python3.13}
    Properties: {ContentUri: layer, CompatibleRuntimes: [python3.13]}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: function
      Handler: lambda_function.lambda_handler
      Runtime: python3.13
      Layers: [!Ref Layer]
"""


@dataclass(frozen=True)
class Tree:
    """What a function and its layer look like when Lambda has unpacked them."""

    function: Path
    layer: Path


@dataclass
class Workspace:
    """`folder` is for this run alone; `peers` is the virtual environment of the alternatives."""

    folder: Path
    peers: Path

    def new_folder(self, name: str) -> Path:
        """Make an empty folder."""
        folder = self.folder / name
        folder.mkdir(parents=True)
        return folder

    @property
    def peers_python(self) -> Path:
        return self.peers / "bin" / "python"

    @cached_property
    def peers_environment(self) -> dict[str, str]:
        """What the alternatives' commands run in: their own Python first, and no AWS account."""
        nobody = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "nobody")
        return (
            dict(os.environ)
            | nobody
            | {
                "PATH": f"{self.peers / 'bin'}:{os.environ['PATH']}",
                "AWS_DEFAULT_REGION": "eu-central-1",
                "SAM_CLI_TELEMETRY": "0",
            }
        )

    @cached_property
    def bundle(self) -> Path:
        """The folder of our bundle, as `build` makes it."""
        folder = self.folder / "bundle"
        Project(ROOT).must("build", "--out", str(folder))
        return folder

    @cached_property
    def ours(self) -> Tree:
        """Our bundle, unpacked."""
        tree = Tree(self.folder / "ours" / "function", self.folder / "ours" / "layer")
        for name, into in (
            ("lambda_function.zip", tree.function),
            ("pymongo-layer.zip", tree.layer),
        ):
            with zipfile.ZipFile(self.bundle / name) as packed:
                packed.extractall(into)
        return tree

    @cached_property
    def sam(self) -> Tree:
        """What `sam build` makes of the same handler and the same lock."""
        project = self.sam_project("sam")
        measure.run_child(self.sam_build, cwd=project, env=self.peers_environment)
        built = project / ".aws-sam" / "build"
        return Tree(built / "Function", built / "Layer")

    # With its cache, for without it SAM fetches and unpacks the layer every time.
    @property
    def sam_build(self) -> list[str | Path]:
        return [self.peers / "bin" / "sam", "build", "--cached"]

    def sam_project(self, name: str) -> Path:
        """Make a project for SAM, with our handler and our layer's lock."""
        folder = self.new_folder(name)
        (folder / "template.yaml").write_text(_TEMPLATE)
        (folder / "function").mkdir()
        (folder / "layer").mkdir()
        shutil.copy(ROOT / "lambda_function.py", folder / "function")
        shutil.copy(ROOT / "layer" / "requirements.txt", folder / "layer")
        return folder

    def version_of(self, package: str) -> str:
        """Return the version of a package of the alternatives'."""
        ask = f"from importlib.metadata import version; print(version({package!r}))"
        command = [str(self.peers_python), "-c", ask]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
