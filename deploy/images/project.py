"""Commands, and a project of Compose, for the check of the images."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROJECT = "zerotouch-images-test"
LOG_LINES = 30


class CheckFailed(Exception):
    """Something is not as it should be; the message says what."""


def say(text: str) -> None:
    """A line of progress."""
    print(f"images-test: {text}", file=sys.stderr, flush=True)


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> str:
    """Runs a command and returns its output; raises `CheckFailed` with all that it said where it fails."""
    done = subprocess.run(  # noqa: S603 - the commands are ours
        list(command), env={**os.environ, **(env or {})}, cwd=ROOT, stdin=subprocess.DEVNULL,
        check=False, text=True, capture_output=True,
    )  # fmt: skip
    if done.returncode:
        raise CheckFailed(f"{shlex.join(command)} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def succeeds(command: Sequence[str]) -> bool:
    """Whether a command can be run and ends with status 0."""
    try:
        run(command)
    except (CheckFailed, FileNotFoundError):
        return False
    return True


class Project:
    """A project of Compose. `file` says what is brought up, `env_file` with which values."""

    def __init__(self, docker: list[str], compose: list[str], file: Path, env_file: Path) -> None:
        self._docker = docker
        self._compose = [*compose, "--project-name", PROJECT, "--project-directory", str(ROOT)]
        self._compose += ["--env-file", str(env_file), "--file", str(file)]

    def up(self) -> None:
        """Starts everything in the order of its dependencies; raises `CheckFailed` with the logs where one fails."""
        try:
            run([*self._compose, "up", "--detach", "--no-build"])
        except CheckFailed as error:
            raise CheckFailed(f"{error}\n{self.logs()}") from None

    def logs(self) -> str:
        """The last lines of every container."""
        return run([*self._compose, "logs", "--no-color", "--tail", str(LOG_LINES)])

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows about a service's only container."""
        (container,) = run([*self._compose, "ps", "-q", service]).split()
        found: list[dict[str, Any]] = json.loads(run([*self._docker, "inspect", container]))
        return found[0]

    def python(self, service: str, code: str) -> str:
        """Runs Python code in a service's container and returns what it printed."""
        return run([*self._docker, "exec", self.inspect(service)["Id"], "python", "-c", code])

    def stop(self, services: Iterable[str]) -> None:
        """Stops the containers of these services, each with its signal and its grace period."""
        run([*self._compose, "stop", *services])

    def down(self) -> None:
        """Removes containers, networks and volumes."""
        run([*self._compose, "down", "--volumes", "--remove-orphans", "--timeout", "5"])
