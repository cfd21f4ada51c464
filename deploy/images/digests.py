"""Names every image that is not ours by its digest, as its registry has it now: a tag can be moved, a digest cannot.

    make digests        needs `docker buildx` and the registries; nothing is pulled

The tag stays before the digest, for people. Either every image is named anew or none. Status 2: no registry could be
asked, and nothing was changed.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FILES: Final = (
    "docker-compose.yml",
    "docker-compose.observability.yml",
    "deploy/images/Dockerfile",
    "deploy/helm/zerotouch/values.yaml",
)
_IMAGE: Final = re.compile(
    r"^( *image: |ARG PYTHON_IMAGE=)([a-z][\w./-]*:[\w.-]+)(@sha256:[0-9a-f]{64})?$", re.MULTILINE
)
_DIGEST: Final = re.compile(r"^Digest: +(sha256:[0-9a-f]{64})$", re.MULTILINE)
_SECONDS_MAX: Final = 60

Ask = Callable[[str], str]
"""The digest of an image. Raises `NoDigest`."""


class NoDigest(Exception):
    """A registry did not say what an image is; the message says which, and why."""


def registry(image: str) -> str:
    """What the registry says of all platforms together, so that every machine finds its own."""
    command = ["docker", "buildx", "imagetools", "inspect", image]
    try:
        done = subprocess.run(  # noqa: S603 - the image is named in our own files
            command, capture_output=True, text=True, timeout=_SECONDS_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoDigest(f"{image}: {error}") from error
    if done.returncode != 0 or (found := _DIGEST.search(done.stdout)) is None:
        raise NoDigest(f"{image}: {done.stderr.strip() or 'no digest was said'}")
    return found[1]


def refresh(root: Path, ask: Ask) -> dict[str, str]:
    """Write every digest anew; the images and their digests. Raises `NoDigest` before anything is written."""
    texts = {name: (root / name).read_text() for name in FILES}
    images = sorted({found[2] for text in texts.values() for found in _IMAGE.finditer(text)})
    digests = {image: ask(image) for image in images}
    for name, text in texts.items():
        (root / name).write_text(_IMAGE.sub(lambda found: f"{found[1]}{found[2]}@{digests[found[2]]}", text))
    return digests


def main() -> int:
    """Runs the command; returns its exit status."""
    try:
        digests = refresh(ROOT, registry)
    except NoDigest as error:
        print(f"digests: nothing was changed: {error}", file=sys.stderr)
        return 2
    for image, digest in digests.items():
        print(f"digests: {image} is {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
