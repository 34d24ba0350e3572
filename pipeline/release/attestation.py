"""Attestations: that build.yml built a bundle's packages on main, and nobody else."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pipeline import github
from pipeline.bundle.manifest import Bundle
from pipeline.errors import AttestationError, GitHubError

_WORKFLOW = "build.yml"


def verify(bundle: Bundle) -> None:
    """Verify the attestation of each package; raise AttestationError if that cannot be."""
    with tempfile.TemporaryDirectory(prefix="pipeline-") as folder:
        for package, archive in bundle.zips():
            path = Path(folder, package.name)
            path.write_bytes(archive)
            try:
                github.verify_attestation(path, _WORKFLOW)
            except GitHubError as problem:
                raise AttestationError(
                    f"the attestation of {package.name} (sha256 {package.sha256}) could not be "
                    f"verified: {problem}",
                    "If Sigstore or GitHub is out of reach (githubstatus.com, "
                    "status.sigstore.dev), try again. If there is no attestation, "
                    f"{_WORKFLOW} did not build the package on main: find out who did.",
                ) from problem
