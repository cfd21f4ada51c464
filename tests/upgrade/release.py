"""The release before this one, out of the repository's history."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

BEFORE: Final = "392679d248bbfc7c1e75aaab1218f9bb0b90b01d"
"""Release N: the newest commit before the console. All of its migrations are today's, too, and no event is new."""
PARTS: Final = ("contracts/src", *(f"services/{name}/src" for name in ("platform", "assistant-api", "tool-sync")))
MODULES: Final = ("zerotouch_contracts", "zerotouch_platform", "assistant_api", "tool_sync")
ROOT: Final = Path(__file__).parents[2]


class NotThere(Exception):
    """The history does not reach back to the release, as in a shallow clone. Its message is git's own."""


def unpacked(folder: Path) -> Mapping[str, str]:
    """Write the release's code into a folder; the environment variables with which a Python runs it.

    Its packages are those of this release: only the services' own code differs. Raises :class:`NotThere`.
    """
    said = subprocess.run(["git", "archive", BEFORE, *PARTS], cwd=ROOT, capture_output=True, check=False)
    if said.returncode != 0:
        raise NotThere(said.stderr.decode(errors="replace").strip())
    with tarfile.open(fileobj=io.BytesIO(said.stdout)) as archive:
        archive.extractall(folder, filter="data")
    code = {"PYTHONPATH": os.pathsep.join(str(folder / part) for part in PARTS)}
    asked = f"import {', '.join(MODULES)}; print({', '.join(f'{name}.__file__' for name in MODULES)})"
    found = subprocess.check_output([sys.executable, "-c", asked], env={**os.environ, **code}, text=True).split()
    assert all(Path(file).is_relative_to(folder) for file in found), f"another release would run: {found}"
    return code
