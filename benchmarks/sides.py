"""The sides as processes with the same environment: `tool-sync run`, and its peers."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.errors import NotMeasured
from benchmarks.world import Corner, World
from devstack import process, tokens
from devstack.ports import free_port
from devstack.process import Child, tail


@dataclass(frozen=True, slots=True)
class Side:
    """One competitor. ``migrated``: its database has tool-sync's tables; otherwise it makes its own.

    ``shown``: what stands in the table where it is the peer.
    """

    name: str
    command: tuple[str, ...]
    migrated: bool
    shown: str = ""


OURS = Side("tool-sync", (sys.executable, "-m", "tool_sync", "run"), migrated=True)
PEER = Side(
    "plain-handler",
    (sys.executable, "-m", "benchmarks.plain_handler", "httpx"),
    migrated=False,
    shown="plain handler without durability",
)
SAME_CLIENT = Side(
    "plain-handler-same-client",
    (sys.executable, "-m", "benchmarks.plain_handler", "ours"),
    migrated=False,
    shown="plain handler with our client and spans",
)
DBOS = Side(
    "dbos",
    (sys.executable, "-m", "benchmarks.dbos_handler"),
    migrated=False,
    shown="DBOS, a workflow of five steps",
)


@asynccontextmanager
async def running(
    world: World, corner: Corner, side: Side, *, port: int | None = None, more: Mapping[str, str] | None = None
) -> AsyncIterator[Child]:
    """Lends the side's process, which may still be starting. Raises :class:`NotMeasured` if it ended by itself.

    ``more``: settings beside those that every side has.
    """
    settings = environment(world, corner, side) | ({} if port is None else {"PORT": str(port)}) | dict(more or {})
    child = process.start(side.name, side.command, log=world.logs / f"{corner.name}.log", env=settings)
    try:
        yield child
        if child.returncode is not None:
            raise NotMeasured(f"{side.name} ended with status {child.returncode}:\n{tail(child.log)}")
    finally:
        await child.stop()


def environment(world: World, corner: Corner, side: Side) -> dict[str, str]:
    """The settings of a side; everything that is not named here is at its default."""
    return {
        "DATABASE_URL": corner.database.service if side.migrated else corner.database.owner,
        "KAFKA_BOOTSTRAP_SERVERS": world.bootstrap_servers,
        "ASSISTANTS_TOPIC": corner.assistants_topic,
        "OUTCOMES_TOPIC": corner.outcomes_topic,
        "FLEET_TOPIC": corner.fleet_topic,
        "DISPLAY_NAMES_TOPIC": corner.display_names_topic,
        "VAPI_ACCOUNTS_TOPIC": corner.vapi_accounts_topic,
        "CONSUMER_GROUP": corner.group,
        "VAPI_BASE_URL": world.sandbox.url,
        "VAPI_API_KEY": world.sandbox.api_key,
        "TOOL_SERVER_URL": "https://assistant-api.example.test/api/vapi/tool-calls",
        "INSTALLATION_ID": corner.installation_id,
        "JWT_PUBLIC_KEY": world.signer.public_key,
        "JWT_ISSUER": tokens.ISSUER,
        "JWT_AUDIENCE": tokens.AUDIENCE,
        "PORT": str(free_port()),
        "OTEL_EXPORTER_OTLP_ENDPOINT": world.collector.url,
    }
