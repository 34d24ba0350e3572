"""A repository with this project in it, for the workflows to run in."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from scratch.project import quicken
from scratch.source import ROOT
from tests.workflows.fake_github import REPOSITORY
from tests.workflows.validate import for_the_runner

# The workflows test the project, and must not run themselves: one test is enough.
_TESTS = {
    "conftest.py",
    "support/handler.py",
    "support/provider.py",
    "handler/conftest.py",
    "handler/test_health.py",
    "workflows/validate.py",
    # What make installs for the tests, unless the one that the lock file names is there already.
    *(
        f"{folder}/{name}"
        for folder in ("page/axe", "service/client")
        for name in ("package.json", "package-lock.json", ".npmrc")
    ),
}


class Repository:
    """A bare `origin` and a clone of it; the clone is where a test changes things, and act runs."""

    def __init__(self, folder: Path) -> None:
        """Put the project as it lies here, committed or not, into a new repository's `main`."""
        self.origin = folder / "origin"
        self.clone = folder / "clone"
        self._copy()
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "Ann Author")
        self.git("config", "user.email", "ann@example.com")
        self.commit("The project")
        bare = ["git", "clone", "--quiet", "--bare", str(self.clone), str(self.origin)]
        subprocess.run(bare, check=True)
        # act takes the repository's name from here; pushes go to the folder.
        self.git("remote", "add", "origin", f"https://github.com/{REPOSITORY}")
        self.git("remote", "set-url", "--push", "origin", str(self.origin))

    def git(self, *arguments: str) -> str:
        """Run git in the clone, and return what it says."""
        command = ["git", "-C", str(self.clone), *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Write a file of the clone."""
        (self.clone / path).write_text(text)

    def append(self, path: str, text: str) -> None:
        """Add to the end of a file of the clone."""
        with (self.clone / path).open("a") as file:
            file.write(text)

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a file of the clone, which must have `old` in it."""
        text = (self.clone / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def commit(self, message: str) -> str:
        """Commit everything, and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def merge(self, message: str) -> str:
        """Commit everything, push it to origin's main, and return the commit."""
        commit = self.commit(message)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return commit

    def start(self, branch: str, at: str = "main") -> None:
        """Begin a branch, from `main` unless `at` is another commit."""
        self.git("checkout", "--quiet", "-B", branch, at)

    def back_to_main(self) -> None:
        self.git("checkout", "--quiet", "--force", "main")

    def _copy(self) -> None:
        listed = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
        for name in subprocess.check_output(listed, text=True).split("\0"):
            source = ROOT / name
            if not name or not source.is_file():
                continue
            if name.startswith("tests/") and name.removeprefix("tests/") not in _TESTS:
                continue
            # What it measures with is among the tests that are left out.
            if name.startswith("benchmarks/") and name != "benchmarks/__init__.py":
                continue
            target = self.clone / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
            if name.startswith(".github/workflows/"):
                target.write_text(one_at_a_time(for_the_runner(source.read_text())))
        quicken(self.clone)


def one_at_a_time(workflow: str) -> str:
    """Return a workflow's text with each matrix limited to one job at a time.

    The jobs of a run share one running provider, which has the role of one job only.
    """
    return re.sub(r"^( *)strategy:\n", r"\g<0>\1  max-parallel: 1\n", workflow, flags=re.MULTILINE)
