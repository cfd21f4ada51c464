"""A Jaeger 2 binary: the one that is named or installed, else built from its Go module and kept.

    python -m devstack.jaeger_build        prints the binary's path, building it where needed (about 10 CPU-minutes)

It is kept in the user's cache, by version; nothing is installed and nothing is written into the checkout.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from devstack import jaeger
from devstack.errors import NotPossible

MODULE: Final = "github.com/jaegertracing/jaeger"
VERSION: Final = "v1.76.0"
"""Of the module; its ``cmd/jaeger`` is Jaeger 2.13, released from the same source. Go checks what it fetches."""


def cached() -> Path:
    """Where a built binary is kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "zerotouch" / "jaeger" / VERSION / "jaeger"


def available() -> bool:
    """Whether a binary can be had: one is there, or Go is."""
    return jaeger.binary() is not None or cached().exists() or shutil.which("go") is not None


def ensure() -> str:
    """The path of a binary. Raises `NotPossible` with the reason."""
    if (given := jaeger.binary()) is not None:
        return given
    if not cached().exists():
        _build(cached())
    return str(cached())


def _build(binary: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise NotPossible("there is no Jaeger: set JAEGER_BIN, install jaeger, or install Go to build it")
    print(f"devstack: building Jaeger {VERSION}, once", file=sys.stderr)
    fetched = _run([go, "mod", "download", "-json", f"{MODULE}@{VERSION}"], Path.home())
    source = Path(json.loads(fetched)["Dir"])
    binary.parent.mkdir(parents=True, exist_ok=True)
    unfinished = binary.with_suffix(".unfinished")
    _run([go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(unfinished), "./cmd/jaeger"], source)
    unfinished.rename(binary)


def _run(command: list[str], folder: Path) -> str:
    environment = os.environ | {"CGO_ENABLED": "0"}
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise NotPossible(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-2000:] or done.stdout[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    try:
        print(ensure())
    except NotPossible as error:
        print(f"devstack: {error}", file=sys.stderr)
        sys.exit(1)
