"""Kafka's jars: listed with their hashes in `jars.lock`, fetched once, kept in the user's cache.

`jgo` finds and fetches them in pure Python, so neither Maven nor a JDK is needed for it. Only its resolver is used:
its environment builder would look for a second JDK and split the jars into class path and module path.
`python -m devstack.jars` writes `jars.lock` anew after a change of `VERSION` or `COORDINATES`.
"""

import fcntl
import hashlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver
from jgo.parse import Coordinate
from platformdirs import user_cache_path

from devstack.errors import DevstackError

VERSION = "4.4.0"
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{VERSION}",
    # Kafka brings the slf4j interface alone: without a binding the broker's errors go nowhere.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5",
)
# Taken without what it needs: its other commands want Connect and a web server, kafka-acls.sh only what is there.
ALONE = (f"org.apache.kafka:kafka-tools:{VERSION}",)
LOCK = Path(__file__).with_name("jars.lock")
FETCHES_MAX = 8
TIMEOUT_SECONDS = 60


class JarsMissing(DevstackError):
    """Kafka's jars cannot be had: there is no smaller broker to fall back to."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked jar: `group:artifact:version` and the SHA-256 of its file."""

    coordinate: str
    sha256: str

    @property
    def filename(self) -> str:
        """The name of the file in our cache."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def cache_dir() -> Path:
    """Returns the folder that keeps what devstack downloads, for all checkouts of this user."""
    return user_cache_path("zerotouch")


def locked() -> tuple[Jar, ...]:
    """Reads `jars.lock`: one `coordinate sha256` a line."""
    return tuple(Jar(*line.split()) for line in LOCK.read_text().splitlines())


def class_path(say: Callable[[str], None]) -> tuple[Path, ...]:
    """Returns all jars of the broker, after fetching those that the cache lacks; `say` is told what is fetched.

    Safe to call from several processes at once. Raises `JarsMissing`.
    """
    folder = cache_dir() / "jars"
    folder.mkdir(parents=True, exist_ok=True)
    jars = locked()
    if any(not (folder / jar.filename).exists() for jar in jars):
        with _only_one(folder / ".lock"):
            missing = [jar for jar in jars if not (folder / jar.filename).exists()]
            if missing:
                say(f"downloading {len(missing)} jars of Apache Kafka {VERSION} (45 MB, once) to {folder}")
                with ThreadPoolExecutor(FETCHES_MAX) as pool:
                    list(pool.map(lambda jar: _fetch(jar, folder), missing))
    return tuple(folder / jar.filename for jar in jars)


def _context() -> MavenContext:
    return MavenContext(resolver=PythonResolver(), repo_cache=cache_dir() / "maven", timeout=TIMEOUT_SECONDS)


def _fetch(jar: Jar, folder: Path) -> None:
    group, artifact, version = jar.coordinate.split(":")
    try:
        found: Path = _context().project(group, artifact).at_version(version).artifact().resolve()
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
        raise JarsMissing(
            f"{jar.coordinate} cannot be downloaded ({type(error).__name__}: {error}); "
            f"the embedded Kafka needs it once, later starts use {folder}"
        ) from error
    digest = hashlib.sha256(found.read_bytes()).hexdigest()
    if digest != jar.sha256:
        found.unlink()  # or the next attempt would take the same file
        raise JarsMissing(f"{jar.coordinate}: expected SHA-256 {jar.sha256}, got {digest} in {found}")
    found.replace(folder / jar.filename)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def resolve() -> tuple[Jar, ...]:
    """Resolves `COORDINATES` with all that they need at run time; raises when one of them cannot be had.

    Each on its own, the earlier one's choice of a version winning: resolved together, the version table of the log
    binding would replace Kafka's own client by an older one.
    """
    context = _context()
    found: dict[str, Jar] = {}
    for coordinate in (*COORDINATES, *ALONE):
        root = context.create_dependency(replace(Coordinate.parse(coordinate), scope="compile"))
        inputs, transitive = context.resolver.resolve([root])
        needed = inputs if coordinate in ALONE else (*inputs, *transitive)
        for artifact in (d.artifact for d in needed if d.scope in ("compile", "runtime")):
            digest = hashlib.sha256(artifact.resolve().read_bytes()).hexdigest()
            name = f"{artifact.groupId}:{artifact.artifactId}"
            found.setdefault(name, Jar(f"{name}:{artifact.version}", digest))
    return tuple(found[name] for name in sorted(found))


if __name__ == "__main__":
    LOCK.write_text("".join(f"{jar.coordinate} {jar.sha256}\n" for jar in resolve()))
    print(f"{LOCK}: {len(locked())} jars", file=sys.stderr)
