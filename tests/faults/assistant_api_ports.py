"""The ports of assistant-api, each behind the gate.

| port | is |
|---|---|
| `commit save`, `commit outcomes` | the end of a transaction of that kind |
| `claim`, `announce` | the provisioner's lease, and the trace of a save by plain SQL |
| `store <what>` | what a step writes into the agent's row |
| `<METHOD> <route>` | a call of Vapi |
| `outbox page`, `send`, `outbox delete` | the relay |
| `getmany`, `commit` | the consumer of outcomes |
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from tests.faults.common import KEPT, GatedTransport, database_lost, wrap_kafka
from tests.faults.gate import Gate
from tests.faults.replace import replace
from tests.faults.watchdog import watch

from assistant_api.agents import save_requests
from assistant_api.app.service import Service
from assistant_api.db import Database
from assistant_api.outcomes import handler
from assistant_api.provisioner import claim, step
from assistant_api.provisioner.store import AgentRow
from assistant_api.relay import loop as relay
from assistant_api.vapi import client

Call = Callable[..., Coroutine[Any, Any, Any]]

STORES: Final = (
    "begin_attempt", "answered", "unchanged", "refused", "adopted", "settled", "forgotten", "later", "wait", "unknown",
)  # fmt: skip

_kinds: ContextVar[set[str]] = ContextVar("kinds of writes in the transaction")


def wrap(gate: Gate) -> None:
    """Put the gate around the ports of the process that is about to start."""
    for name in ("create_agent", "change_agent", "request_save", "request_save_of_all"):
        replace(save_requests, name, lambda call: _noting("save", call))
    replace(handler, "apply_outcomes", lambda call: _noting("outcomes", call))
    replace(Database, "transaction", lambda _: _transaction(gate))
    replace(claim, "lease", lambda call: _on_connection(gate, "claim", call, counts=bool))
    replace(step, "announce", lambda call: _announce(gate, call))
    for name in STORES:
        replace(AgentRow, name, partial(_store, gate, name))
    replace(relay, "read_page", lambda call: _on_connection(gate, "outbox page", call, counts=bool))
    replace(relay, "delete_page", lambda call: _on_connection(gate, "outbox delete", call))
    replace(client, "PooledTransport", lambda made: lambda *args: GatedTransport(gate, made(*args)))
    wrap_kafka(gate)
    replace(Service, "run_loops", lambda run: _watched(gate, run))


def _noting(kind: str, call: Call) -> Call:
    async def noted(*args: Any, **kwargs: Any) -> Any:
        answer = await call(*args, **kwargs)
        _kinds.get().add(f"commit {kind}")
        return answer

    return noted


def _transaction(gate: Gate) -> Any:
    @asynccontextmanager
    async def transaction(self: Database) -> AsyncIterator[Any]:
        async with self.connection() as connection:
            inner = connection.transaction()
            await inner.start()
            kinds: set[str] = set()
            _kinds.set(kinds)
            try:
                yield connection
            except BaseException:
                await inner.rollback()
                raise
            await gate.around(tuple(kinds), inner.commit, lost=database_lost(connection))

    return transaction


def _on_connection(gate: Gate, port: str, call: Call, **options: Any) -> Call:
    async def gated(connection: Any, *args: Any, **kwargs: Any) -> Any:
        lost = database_lost(connection)
        return await gate.around((port,), lambda: call(connection, *args, **kwargs), lost=lost, **options)

    return gated


def _announce(gate: Gate, call: Call) -> Call:
    async def gated(*args: Any) -> Any:
        async def lost(_: object) -> BaseException:
            return ConnectionResetError("the connection was closed")

        return await gate.around(("announce",), lambda: call(*args), lost=lost)

    return gated


def _store(gate: Gate, name: str, call: Call) -> Call:
    async def gated(self: Any, *args: Any, **kwargs: Any) -> Any:
        lost = database_lost(self._connection)
        return await gate.around((f"store {name}",), lambda: call(self, *args, **kwargs), lost=lost)

    return gated


def _watched(gate: Gate, run: Call) -> Call:
    async def watched(self: Service) -> None:
        KEPT.add(asyncio.ensure_future(watch(lambda: gate.woken, gate.blocked)))
        await run(self)

    return watched
