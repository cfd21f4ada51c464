"""A service's database is set back to a copy of it, as its runbook in docs/runbooks has it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import asyncpg
from tests.checker.selftest.group import Group
from tests.support.eventually import until

from devstack.databases import DatabaseUrls, Service

REPLICA: Final[Mapping[Service, str]] = {"tool_sync": "tool-sync-1", "assistant_api": "assistant-api"}
BEGIN_AGAIN: Final[Mapping[Service, tuple[str, ...]]] = {
    "tool_sync": ("log", "fork", "--yes", "--reason", "the database was restored"),
    "assistant_api": ("restore", "--yes", "--reason", "the database was restored"),
}
BEGIN_AGAIN_SECONDS_MAX: Final = 60.0
# With a limit it waits until they have ended.
END_SESSIONS: Final = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1"


async def backup(group: Group, service: Service) -> DatabaseUrls:
    """Copy the database; its sessions are ended for that, and the service has connected again when this returns."""
    await group.database[service].close()
    async with _nobody_connected(group, service):
        copied = await group.databases.copy(service, group.urls[service])
    await group.connect(service)
    await group.ready_again(REPLICA[service])
    return copied


async def restore(group: Group, service: Service, copied: DatabaseUrls) -> None:
    """Stop, put the copy in place, begin again, start; tool-sync with another consumer group."""
    await group.children[REPLICA[service]].stop()
    await group.database[service].close()
    group.ledger.fault("set-back", service)
    group.lost[service].append(group.urls[service].admin)
    group.urls[service] = copied
    await group.connect(service)
    await _begin_again(group, service)
    if service == "tool_sync":
        group.consumer_groups[service] += "-again"
    await group.start(service, REPLICA[service])


async def _begin_again(group: Group, service: Service) -> None:
    child = group.children["begin-again"] = group.command("begin-again", service, *BEGIN_AGAIN[service])

    async def ended() -> bool:
        return child.returncode is not None

    await until(ended, BEGIN_AGAIN_SECONDS_MAX)
    assert child.returncode == 0, f"to begin again ended with {child.returncode}: {child.log.read_text()}"


@asynccontextmanager
async def _nobody_connected(group: Group, service: Service) -> AsyncIterator[None]:
    name = urlsplit(group.urls[service].admin).path.removeprefix("/")
    admin = await asyncpg.connect(group.databases.admin_url)
    try:
        await admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        await admin.execute(END_SESSIONS, name)
        yield
    finally:
        await admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
        await admin.close()
