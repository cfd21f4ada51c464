"""What stands between this service and its work: looked at from outside of the running processes, one after another.

    settings ─► sessions ─► migrations ─► installation ─► processes ─► clock
                Kafka's topics · the key at Vapi · keys of tokens · letters and records that wait for a person

Each look ends in one :class:`Symptom`; where the database is away, what needs it is said to be not looked at.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from tool_sync import db
from tool_sync.queries.waiting import backlog
from tool_sync.readiness import database_problem
from tool_sync.settings import Settings
from tool_sync.vapi.client import VapiClient
from tool_sync.vapi.failures import VapiFailure
from tool_sync.vapi.rate_limit import paused_keys
from zerotouch_contracts.errors import CATALOGUE
from zerotouch_platform.kafka.ledger import open_losses
from zerotouch_platform.kafka.topics import problem_of
from zerotouch_platform.postgres.errors import meaning_of
from zerotouch_platform.postgres.installation import read_installation
from zerotouch_platform.postgres.session import session_problem
from zerotouch_platform.settings import misspelt
from zerotouch_platform.token_keys import KeysUnusable, TokenKeys
from zerotouch_platform.vapi.paging import Window

CLOCK_APART_MAX: Final = timedelta(seconds=2)
"""Tokens end, and signatures are good, by this machine's clock; everything else is timed by the database's."""
_PROCESSES: Final = """
SELECT count(DISTINCT client_port) FROM pg_stat_activity
 WHERE datname = current_database() AND application_name LIKE 'tool-sync%'
"""


@dataclass(frozen=True, slots=True)
class Symptom:
    """``said``: what is there, in one sentence. ``what_to_do``: where it is not as it should be, and None where it is.

    ``is_looked_at`` is False where something else stood in the way of the look.
    """

    name: str
    said: str
    what_to_do: str | None = None
    is_looked_at: bool = True


async def examine(settings: Settings, vapi: VapiClient) -> AsyncIterator[Symptom]:
    """All findings, each as soon as it is there. Nothing is written, at Vapi neither."""
    yield _settings()
    yield (reached := await _sessions(settings))
    if reached.what_to_do is None:
        async with db.SESSIONS.pool(settings.database_url, size_max=1, application_name="zerotouch cli") as pool:
            for name, look in _IN_DATABASE.items():
                yield await _guarded(name, lambda look=look: look(settings, pool))  # type: ignore[misc]
    else:
        for name in _IN_DATABASE:
            yield Symptom(name, "the database is not reached", is_looked_at=False)
    yield await _kafka(settings)
    yield await _vapi(vapi)
    yield await _tokens(settings)


def _settings() -> Symptom:
    found = misspelt(Settings, os.environ)
    if not found:
        return Symptom("settings", "complete, and no variable looks like a misspelt one")
    said = ", ".join(f"{name} is no setting, {meant} is" for name, meant in found.items())
    return Symptom("settings", said, "Correct the name; until then the default is used.")


async def _sessions(settings: Settings) -> Symptom:
    try:
        problem = await session_problem(settings.database_url)
    except db.WAITED_OUT_ERRORS as error:
        return Symptom("database", meaning_of(error), "Bring it back, or correct DATABASE_URL; work waits meanwhile.")
    if problem is not None:
        return Symptom("database", problem, "Let DATABASE_URL name PostgreSQL itself, or a pooler in session mode.")
    return Symptom("database", "answers, and each connection has a session of its own")


async def _migrations(_settings: Settings, pool: db.Pool) -> Symptom:
    problem = await database_problem(pool)
    if problem is not None:
        return Symptom("migrations", problem, "Run `tool-sync migrate` with the owner's URL.")
    return Symptom("migrations", "the schema is this release's, or newer")


async def _installation(settings: Settings, pool: db.Pool) -> Symptom:
    found: UUID | None = await read_installation(pool)  # None before the first start
    if found is None:
        return Symptom("installation", "the database belongs to nobody yet; the first start makes it ours")
    if found != settings.installation_id:
        said = f"the database belongs to installation {found}, the settings name {settings.installation_id}"
        return Symptom("installation", said, "One of the two is a copy: correct DATABASE_URL or INSTALLATION_ID.")
    return Symptom("installation", f"{found}, as in the settings")


async def _processes(_settings: Settings, pool: db.Pool) -> Symptom:
    connections = await pool.fetchval(_PROCESSES)
    if not connections:
        return Symptom("processes", "no process of tool-sync is connected", "Start it: `tool-sync run`.")
    return Symptom("processes", f"tool-sync has {connections} connections to the database")


async def _clock(_settings: Settings, pool: db.Pool) -> Symptom:
    before = datetime.now(UTC)
    there = await db.read_now(pool)
    after = datetime.now(UTC)
    apart = max(before - there, there - after, timedelta())
    said = f"this machine's clock and the database's are within {apart.total_seconds():.1f} s"
    if apart > CLOCK_APART_MAX:
        said = f"this machine's clock and the database's are {apart.total_seconds():.1f} s apart"
        return Symptom("clock", said, "Let both follow NTP: tokens end by this one, everything else by the other.")
    return Symptom("clock", said)


async def _key(_settings: Settings, pool: db.Pool) -> Symptom:
    async with pool.acquire() as connection:
        paused = await paused_keys(connection)
    if not paused:
        return Symptom("key's pauses", "no key is paused")
    said = ", ".join(f"{key.code} {key.title}{key.whose} since {key.since:%Y-%m-%d %H:%M} UTC" for key in paused)
    return Symptom("key's pauses", said, paused[0].what_to_do)


async def _letters(_settings: Settings, pool: db.Pool) -> Symptom:
    async with pool.acquire() as connection:
        waiting = (await backlog(connection)).dead_letters
    if waiting:
        said = f"{waiting:,} records could not be read and wait for a person"
        return Symptom("dead letters", said, "`tool-sync dead-letters list` says why, and how they are read again.")
    return Symptom("dead letters", "none waits")


async def _lost(_settings: Settings, pool: db.Pool) -> Symptom:
    async with pool.acquire() as connection:
        lost = await open_losses(connection)
    if lost:
        said = f"{len(lost):,} times records were gone from their topic before they were read"
        return Symptom("lost records", said, "`tool-sync lost list` names them; then `tool-sync lost acknowledge ID`.")
    return Symptom("lost records", "none")


_IN_DATABASE: Final[dict[str, Callable[[Settings, db.Pool], Awaitable[Symptom]]]] = {
    "migrations": _migrations,
    "installation": _installation,
    "processes": _processes,
    "clock": _clock,
    "key's pauses": _key,
    "dead letters": _letters,
    "lost records": _lost,
}


async def _guarded(name: str, look: Callable[[], Awaitable[Symptom]]) -> Symptom:
    """A database without its tables, or that goes away now, is a finding of its own look alone."""
    try:
        return await look()
    except db.WAITED_OUT_ERRORS as error:
        return Symptom(name, meaning_of(error), is_looked_at=False)


async def _kafka(settings: Settings) -> Symptom:
    topics = (
        settings.assistants_topic, settings.outcomes_topic, settings.fleet_topic, settings.contracts_topic,
        settings.blueprint_topic, settings.tool_calls_topic, settings.heads_topic, settings.display_names_topic,
        settings.vapi_accounts_topic,
    )  # fmt: skip
    problem = await problem_of(settings.kafka_bootstrap_servers, topics)
    if problem is None:
        return Symptom("kafka", f"answers, and has the {len(topics)} topics")
    return Symptom("kafka", problem, "Bring it back, or make the topics (`create-topics` in the image of tool-sync).")


async def _vapi(vapi: VapiClient) -> Symptom:
    try:
        await vapi.page_of("tool", Window(datetime.now(UTC)), 1)
    except VapiFailure as failure:
        entry = CATALOGUE[failure.code]
        return Symptom("vapi", f"{entry.code.value} {entry.title}: {entry.meaning}", entry.what_to_do)
    return Symptom("vapi", "answers to the key")


async def _tokens(settings: Settings) -> Symptom:
    keys = TokenKeys(settings)
    if keys.loop() is not None:
        try:
            await keys.run_once()
        except KeysUnusable as error:
            return Symptom("keys of tokens", str(error), "Correct JWT_JWKS_URL or JWT_JWKS_FILE, or what is there.")
    return Symptom("keys of tokens", "there")
