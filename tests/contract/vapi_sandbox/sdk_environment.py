"""The official SDK's own environment, a venv in `.devstack/`: its pydantic pin conflicts with the project's.

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

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ROOT / "requirements" / "vapi-sdk.txt"
VENV = ROOT / ".devstack" / "vapi-sdk-venv"
INSTALL_SECONDS = 300


class EnvironmentNotMade(Exception):
    """The SDK's environment could not be made; the message holds the installer's own words."""


def sdk_python() -> Path:
    """Return the interpreter that has the SDK, and make its environment first where it is missing or stale."""
    python = VENV / "bin" / "python"
    stamp = VENV / "made-from"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    VENV.parent.mkdir(exist_ok=True)
    with _only_one(VENV.parent / "vapi-sdk-venv.lock"):
        if stamp.exists() and stamp.read_text() == wanted:
            return python
        shutil.rmtree(VENV, ignore_errors=True)
        for command in _commands(python):
            _run(command)
        stamp.write_text(wanted)
    return python


def _commands(python: Path) -> list[list[str]]:
    """Return what makes the venv and fills it: with uv where there is one, else with the standard library and pip."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    arguments = ["--require-hashes", "-r", str(REQUIREMENTS)]
    if uv is None:
        return [
            [sys.executable, "-m", "venv", str(VENV)],
            [str(python), "-m", "pip", "install", "--quiet", *arguments],
        ]
    return [
        [uv, "venv", "--quiet", "--python", sys.executable, str(VENV)],
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
