"""A Dockerfile, read as far as ours goes, and its steps run without an engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Step:
    """One instruction: its word in capitals, and the rest of its line."""

    word: str
    rest: str


@dataclass
class Stage:
    """What stands between one FROM and the next."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        return [step.rest for step in self.steps if step.word == word]

    def last(self, word: str) -> str:
        return self.all(word)[-1]


def read_dockerfile(text: str) -> list[Stage]:
    """Return the stages of a Dockerfile. Continued lines are joined; comments are left out."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    stages: list[Stage] = []
    for line in re.sub(r"\\\n", " ", lines).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base, name))
        elif word and stages:
            stages[-1].steps.append(Step(word, rest.strip()))
    return stages


def words(rest: str) -> list[str]:
    """Return a command or a list of an instruction that stands as JSON."""
    found: list[str] = json.loads(rest)
    return found


class Room:
    """A folder that stands for the container's root: `/opt`, `/app`, `/build` and `/data` are in it."""

    OURS = re.compile(r"(?<![\w.])/(opt|app|build|data)\b")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env: dict[str, str] = {}
        self._base_image()
        self.begin()

    def path(self, text: str) -> str:
        """Return *text* with the container's folders in it as ours."""
        return self.OURS.sub(rf"{self.folder}/\1", text)

    def begin(self) -> None:
        """Forget what the stage before has set: a stage begins with what its base image has."""
        base = self.folder / "base"
        self.env = {"PATH": f"{base}/bin:{os.environ['PATH']}", "LD_LIBRARY_PATH": f"{base}/lib"}

    def _base_image(self) -> None:
        """Copy this Python (not what is installed into it, but for pip): the one here may lie where only we can go."""
        prefix, version = Path(sys.base_prefix), f"python{sys.version_info.major}.{sys.version_info.minor}"
        here = self.folder / "base"
        (here / "bin").mkdir(parents=True)
        skipped = shutil.ignore_patterns("test", "__pycache__", "idlelib", "tkinter", "config-*")
        shutil.copytree(prefix / "lib" / version, here / "lib" / version, ignore=skipped, symlinks=True)
        for library in (prefix / "lib").glob("libpython*"):
            shutil.copy(library, here / "lib")
        shutil.copy(prefix / "bin" / version, here / "bin" / version)
        (here / "bin" / "python").symlink_to(version)

    def run_stage(self, stage: Stage) -> None:
        """Take the steps of *stage*, but for those that make users."""
        self.begin()
        for step in stage.steps:
            if step.word == "ENV":
                self.env.update(self._variables(step.rest))
            elif step.word == "COPY" and not step.rest.startswith("--from"):
                self._copy(*step.rest.split())
            elif step.word == "RUN" and "useradd" not in step.rest:
                self._run(step.rest)

    def _variables(self, rest: str) -> Iterator[tuple[str, str]]:
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            yield name, self.path(value).replace("$PATH", self.env["PATH"])

    def _copy(self, source: str, target: str) -> None:
        to = Path(self.path(target))
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            to.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, to)

    def _run(self, command: str) -> None:
        """Run *command* as the engine does: by /bin/sh."""
        # pip finds this machine's registry by variables and files of its own.
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "HOME"))}
        done = subprocess.run(
            ["/bin/sh", "-ec", self.path(command)],
            env=kept | self.env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
