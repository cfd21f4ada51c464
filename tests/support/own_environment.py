"""Environments of their own, venvs in `.devstack/`, for tools whose pins would decide what the services run on.

Made once from hashed requirements, and made again when the requirements or the Python change.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
INSTALL_SECONDS = 300


class EnvironmentNotMade(Exception):
    """An environment could not be made; the message holds the installer's own words."""


def python_with(name: str) -> Path:
    """Return the interpreter that has `requirements/NAME.txt`; make its environment first if it is missing or stale."""
    requirements = ROOT / "requirements" / f"{name}.txt"
    venv = ROOT / ".devstack" / f"{name}-venv"
    python, stamp = venv / "bin" / "python", venv / "made-from"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    venv.parent.mkdir(exist_ok=True)
    with _only_one(venv.with_suffix(".lock")):
        if stamp.exists() and stamp.read_text() == wanted:
            return python
        shutil.rmtree(venv, ignore_errors=True)
        for command in _commands(venv, python, requirements):
            _run(command)
        stamp.write_text(wanted)
    return python


def _commands(venv: Path, python: Path, requirements: Path) -> list[list[str]]:
    """Return what makes the venv and fills it: with uv where there is one, else with the standard library and pip."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    arguments = ["--require-hashes", "-r", str(requirements)]
    if uv is None:
        return [
            [sys.executable, "-m", "venv", str(venv)],
            [str(python), "-m", "pip", "install", "--quiet", *arguments],
        ]
    return [
        [uv, "venv", "--quiet", "--python", sys.executable, str(venv)],
        [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *arguments],
    ]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode != 0:
        raise EnvironmentNotMade(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
