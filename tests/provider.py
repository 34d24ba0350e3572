"""Terraform's AWS provider, kept running: most of what a Terraform run takes is starting it anew.

It is the real provider, as the lock file names it, in the mode that it has for debugging. One
serves one environment of one cloud: it keeps the settings that it was given last.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from localcloud import processes
from tests.project import ROOT


@contextmanager
def running(settings: Mapping[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """Start the provider for a cloud with these `settings`; give what makes Terraform use it.

    Source of the mode and of TF_REATTACH_PROVIDERS: Terraform's plugin documentation, "Debugging".
    """
    # With a bundle of its own it can be given settings only once.
    environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    # It lives long and has much memory: collecting garbage seldom is cheaper.
    environment |= {"GOGC": "400", **settings}
    # Not a pipe: it goes on talking, and would wait for somebody to listen.
    said = folder / "said"
    with said.open("wb") as file:
        process = processes.start(
            [_installed(folder, environment), "-debug"],
            env=environment,
            cwd=folder,
            output=file.fileno(),
        )
    try:
        yield {"TF_REATTACH_PROVIDERS": _address(process, said)}
    finally:
        processes.stop(process)


def _installed(folder: Path, environment: dict[str, str]) -> Path:
    """Let Terraform install the provider, and return the program."""
    data = folder / "terraform"
    subprocess.run(
        ["terraform", f"-chdir={ROOT}/terraform", "init", "-backend=false", "-lockfile=readonly"],
        env=environment | {"TF_DATA_DIR": str(data)},
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=300,
    )
    [program] = data.glob("providers/*/*/*/*/*/terraform-provider-aws_*")
    return program


def _address(process: subprocess.Popen[bytes], said: Path) -> str:
    """Wait until the provider listens, and return what it says about where."""
    while process.poll() is None:
        if found := re.search(r"TF_REATTACH_PROVIDERS='(.*)'", said.read_text()):
            return found[1]
        time.sleep(0.02)
    raise AssertionError(f"the provider ended before it listened: {said.read_text()}")
