"""The ports of tool-sync, each behind the gate.

| port | is |
|---|---|
| `append`, `append <EventType>` | one transaction of the log: its one statement, sent and answered |
| `load`, `rows` | the events of orgs, and the rows of their assistants |
| `claim`, `renew`, `release` | leases |
| `<METHOD> <route>` | a call of Vapi |
| `getmany`, `commit` | the consumer of the assistants topic |
| `send` | one batch of a partition's records to the producer |
| `advance` | the relay's cursor |
| `take turn`, `settle` | the feeder's row of a tool |
| `feeder page`, `make due` | what it reads of clinics, and whom it feeds for an update in place |
| `read back` | one look of a read-back |
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import asyncpg
from tests.faults.common import KEPT, GatedTransport, database_lost, wrap_kafka
from tests.faults.gate import Gate
from tests.faults.replace import replace
from tests.faults.watchdog import watch

from tool_sync.app import clients
from tool_sync.log import EventLog, group_commit
from tool_sync.outcomes.published import OUTCOMES
from tool_sync.outcomes.relay import cursor
from tool_sync.rollouts import feeder, turns
from tool_sync.rollouts.read_back import ReadBack
from tool_sync.sync import leases, rows
from zerotouch_platform import supervisor

Call = Callable[..., Coroutine[Any, Any, Any]]


def wrap(gate: Gate) -> None:
    """Put the gate around the ports of the process that is about to start."""
    replace(group_commit, "execute", lambda execute: _append(gate, execute))
    replace(EventLog, "load", lambda load: _through(gate, "load", load))
    replace(rows, "by_agent", lambda call: _through(gate, "rows", call))
    replace(leases, "claim", lambda claim: _through(gate, "claim", claim, counts=_claimed))
    replace(leases, "renew", lambda renew: _through(gate, "renew", renew))
    replace(leases, "release", lambda release: _through(gate, "release", release))
    replace(cursor, "advance", lambda advance: _advanced(gate, advance))
    replace(turns, "take", lambda take: _through(gate, "take turn", take, counts=bool))
    replace(turns, "settle", lambda settle: _through(gate, "settle", settle))
    replace(turns, "make_due", lambda make_due: _through(gate, "make due", make_due))
    replace(feeder, "page_of", lambda page_of: _through(gate, "feeder page", page_of))
    replace(ReadBack, "missing", lambda missing: _through(gate, "read back", missing))
    replace(clients, "PooledTransport", lambda made: lambda *args: GatedTransport(gate, made(*args)))
    wrap_kafka(gate)
    replace(supervisor.Loops, "__init__", lambda init: _watched(gate, init))


def _append(gate: Gate, execute: Call) -> Call:
    async def gated(connection: Any, requests: Sequence[Any]) -> Any:
        types = dict.fromkeys(event.type_name for request in requests for event in request.events)
        ports = ("append", *(f"append {name}" for name in types))
        return await gate.around(ports, lambda: execute(connection, requests), lost=database_lost(connection))

    return gated


def _advanced(gate: Gate, advance: Call) -> Call:
    """Of the outcomes; the fleet's topic has a cursor of its own, and a port."""

    async def gated(leader: Any, name: str, **positions: int) -> Any:
        port = "advance" if name == OUTCOMES.cursor else "advance of the fleet"
        return await gate.around((port,), lambda: advance(leader, name, **positions), lost=_lost)

    return gated


def _through(gate: Gate, port: str, call: Call, **options: Any) -> Call:
    async def gated(*args: Any, **kwargs: Any) -> Any:
        return await gate.around((port,), lambda: call(*args, **kwargs), lost=_lost, **options)

    return gated


async def _lost(_: object) -> BaseException:
    return asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


def _claimed(answer: tuple[list[Any], Any]) -> bool:
    return bool(answer[0])


def _watched(gate: Gate, init: Callable[..., None]) -> Callable[..., None]:
    """The loops of the process are made when its event loop runs: from then on it is watched."""

    def watched(self: Any) -> None:
        init(self)
        KEPT.add(asyncio.ensure_future(watch(lambda: gate.woken, gate.blocked)))

    return watched
