"""`append_64`: 64 appenders at once, one event each time, everything durable before the answer.

Ours is the event log as the service uses it: ids looked up, version checked, hash chain and projections included, on
PostgreSQL with fsync on. The peers are the `eventsourcing` library's recorder of an application on the same PostgreSQL,
whose notification ids promise the same order of commits as our positions, and UmaDB, a server for events alone.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from benchmarks import sides
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say, in_turn
from benchmarks.rows import Row
from benchmarks.sides import Side
from benchmarks.world import World, corner
from devstack import process
from devstack.ports import HOST, free_port

APPENDERS = 64
APPENDS = 12_800
WARM_UP = 640
SECONDS_MAX = 120.0
START_SECONDS_MAX = 20.0
STATE = json.dumps(
    {"request_id": str(uuid4()), "agent_id": "agent-1", "assistant_id": str(uuid4()), "revision": 1,
     "model_hash": "0" * 64, "cause": "save", "trace_id": "ab" * 16}
).encode()  # fmt: skip
"""What a peer stores for one save."""

EVENTSOURCING = Side(
    "eventsourcing",
    (sys.executable, "-m", "benchmarks.append_peer"),
    migrated=False,
    shown="eventsourcing, PostgresApplicationRecorder",
)
UMADB = Side(
    "umadb",
    (sys.executable, "-m", "benchmarks.append_umadb"),
    migrated=False,
    shown="UmaDB, fsync before each answer",
)
OURS_COMMAND = (sys.executable, "-m", "benchmarks.append_ours")
PEERS: Mapping[str, tuple[Side, str | None]] = {
    "append_64": (EVENTSOURCING, "≥ 15,000; ratio ≥ 3"),
    "append_64_umadb": (UMADB, None),
}
"""The rows: each has the same rounds of ours, beside another peer."""


async def measure(world: World, rounds: int, say: Say) -> list[Row]:
    """The rows. Raises :class:`benchmarks.errors.NotMeasured`."""
    runs = await in_turn(rounds, (sides.OURS, EVENTSOURCING, UMADB), lambda side: one_round(world, side, say))
    return [
        Row(
            name=name,
            unit="appends/s",
            better="higher",
            ours_rounds=tuple(runs.rounds[sides.OURS.name]),
            peer_rounds=tuple(runs.rounds[peer.name]),
            peer_name=peer.shown,
            goal=goal,
            not_run=runs.not_run.get(peer.name),
        )
        for name, (peer, goal) in PEERS.items()
    ]


async def one_round(world: World, side: Side, say: Say) -> float:
    """Appends/s of one side, in a process and a store of its own."""
    if side is UMADB:
        async with umadb_server(world.logs / f"umadb-{uuid4().hex[:8]}.log") as url:
            rate = await _rate((*side.command, url))
    else:
        command = OURS_COMMAND if side is sides.OURS else side.command
        async with corner(world, f"append-{side.name}", migrated=side.migrated) as place:
            url = place.database.service if side.migrated else place.database.owner
            rate = await _rate((*command, url))
    say(f"  append, {side.name}: {rate:,.0f} appends/s")
    return rate


@asynccontextmanager
async def umadb_server(log: Path) -> AsyncIterator[str]:
    """Lends the address of a server over an empty store on the same disk; it has its defaults but for that.

    Raises :class:`NotMeasured` and `StartFailed`.
    """
    program, port = Path(sys.executable).with_name("umadb"), free_port()
    if not program.exists():
        raise NotMeasured(f"{program} is not installed")
    with tempfile.TemporaryDirectory(prefix="zerotouch-umadb-") as folder:
        command = (str(program), "--listen", f"{HOST}:{port}", "--db-path", folder)
        server = process.start("umadb", command, log=log)
        try:
            await server.ready(lambda: _not_listening(port), START_SECONDS_MAX)
            yield f"http://{HOST}:{port}"
        finally:
            await server.stop()


async def _not_listening(port: int) -> str | None:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError as error:
        return str(error)
    writer.close()
    return None


async def _rate(command: tuple[str, ...]) -> float:
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            output, errors = await child.communicate()
    except TimeoutError:
        raise NotMeasured(f"{command[2]} is not done within {SECONDS_MAX:.0f} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        raise NotMeasured(f"{command[2]} ended with status {child.returncode}:\n{errors.decode()[-2000:]}")
    return float(json.loads(output)["appends_per_second"])
