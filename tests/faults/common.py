"""What both services' ports have in common: Kafka's clients, calls over HTTP, and a lost database connection."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from tests.faults.gate import Gate
from tests.faults.replace import replace

from zerotouch_platform.vapi.transport import Answer, Request, Transport

Call = Callable[..., Coroutine[Any, Any, Any]]

KEPT: Final[set["asyncio.Future[Any]"]] = set()
"""Tasks of ours that nobody else holds."""

_ID: Final = re.compile(r"^(/(?:tool|assistant))/[^/]+$")


def database_lost(connection: Any) -> Callable[[object], Awaitable[BaseException]]:
    """Closes the connection's socket, and is what asyncpg says of a connection that was lost."""

    async def lost(_: object) -> BaseException:
        connection.terminate()
        return asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    return lost


def wrap_kafka(gate: Gate) -> None:
    """`getmany` and `commit` of the groups' members, and `send`, of a record or a batch, of every producer here."""
    replace(AIOKafkaConsumer, "getmany", lambda call: _of_members(call, _through(gate, "getmany", call, counts=bool)))
    replace(AIOKafkaConsumer, "commit", lambda call: _through(gate, "commit", call))
    replace(AIOKafkaProducer, "send", lambda call: _sent(gate, call))
    replace(AIOKafkaProducer, "send_batch", lambda call: _sent(gate, call))


def _through(gate: Gate, port: str, call: Call, **options: Any) -> Call:
    async def gated(*args: Any, **kwargs: Any) -> Any:
        return await gate.around((port,), lambda: call(*args, **kwargs), lost=_kafka_lost, **options)

    return gated


def _of_members(call: Call, gated: Call) -> Call:
    """Who only looks at a topic, as the guards do at a start, is let through."""

    def getmany(self: AIOKafkaConsumer, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        return (call if self._group_id is None else gated)(self, *args, **kwargs)

    return getmany


def _sent(gate: Gate, send: Call) -> Call:
    """After: the broker has the record and nobody heard it. What the platform is told has a port of its own."""

    async def gated(*args: Any, **kwargs: Any) -> Any:
        async def lost(delivery: Any) -> BaseException:
            if delivery is not None:
                await delivery
            return await _kafka_lost(None)

        port = "send" if _of_clinics(args, kwargs) else "send of the fleet"
        return await gate.around((port,), lambda: send(*args, **kwargs), lost=lost)

    return gated


def _of_clinics(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether the topic that is sent to is about saves and their outcomes."""
    names = [one for one in (*args, kwargs.get("topic")) if isinstance(one, str)]
    return not any(".fleet" in name or ".blueprint" in name for name in names)


async def _kafka_lost(_: object) -> BaseException:
    error: BaseException = KafkaConnectionError("the connection was closed")
    return error


def port_of(method: str, path: str) -> str:
    """A call of Vapi as a port."""
    return method + " " + _ID.sub(r"\1/{id}", path)


class GatedTransport:
    """A way to Vapi whose calls pass the gate; `after` is when the whole answer is there."""

    def __init__(self, gate: Gate, inner: Transport) -> None:
        self._gate, self._inner = gate, inner

    async def send(self, request: Request, limit: int) -> Answer:
        """See the protocol."""

        async def lost(answer: Answer | None) -> BaseException:
            key: Any = None
            if answer is None:
                return aiohttp.ClientConnectorError(key, OSError(111, "the connection was refused"))
            return aiohttp.ServerDisconnectedError("the connection was closed")

        port = port_of(request.method, urlsplit(request.url).path)
        answer: Answer = await self._gate.around((port,), lambda: self._inner.send(request, limit), lost=lost)
        return answer

    async def close(self) -> None:
        """See the protocol."""
        await self._inner.close()
