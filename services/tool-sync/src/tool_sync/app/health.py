"""What `/livez`, `/readyz` and the console answer of the parts of this process."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from tool_sync import db
from tool_sync.app.dependencies import Dependencies
from tool_sync.console.process import Parts, Reader
from tool_sync.db import Connection, Pool
from tool_sync.notices.endpoints import count_disabled
from tool_sync.outcomes.published import ALL
from tool_sync.readiness import database_problem
from tool_sync.settings import Settings
from tool_sync.sync.object_looks import LATE_MEANING, late_look
from tool_sync.vapi.rate_limit import paused_keys
from zerotouch_platform.health import Health
from zerotouch_platform.kafka.ledger import open_losses
from zerotouch_platform.kafka.topics import problem_of
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS

HEADS_UNSIGNED: Final = "no head of the log is signed: nothing new is proved against who owns its table"
NAMES_UNREAD: Final = "what clinics and agents are called is not read: names that are shown may be old ones"
ACCOUNTS_UNREAD: Final = "which clinics have a Vapi account of their own is not read: what changes of it is not known"
NOTICES_DISABLED: Final = "so many clinics' webhooks took nothing for a day: they are told of nothing until a replay"
CALLS_UNREAD: Final = "calls of tools are not read: bookings are not counted, and a rollout that looks at calls waits"

T = TypeVar("T")


def watch(settings: Settings, health: Health, pool: Pool, parts: Dependencies) -> None:
    """Make the parts what ``/livez`` and ``/readyz`` answer from: the start is over."""
    topics = (settings.assistants_topic, settings.outcomes_topic, settings.fleet_topic)

    async def late_looks(connection: Connection) -> list[dict[str, object]]:
        late = await late_look(connection, timedelta(hours=settings.auto_sync_hours))
        return [] if late is None else [{"kind": late.kind, "looked_at": late.looked_at, "meaning": LATE_MEANING}]

    health.live |= {
        "log": _known(lambda: parts.guard.replaced),
        "intake": _known(lambda: parts.consumer.wedged),
    }
    health.ready |= {
        "restore": _known(lambda: parts.guard.problem),
        "database": lambda: database_problem(pool),
        "kafka": lambda: problem_of(settings.kafka_bootstrap_servers, topics),
        "intake": _known(lambda: parts.consumer.problem),
        "relay": _known(lambda: next((r.problem for r in parts.relays if r.problem is not None), None)),
    }
    health.notes |= {
        "contracts_unanswered": _known(lambda: [asdict(one) for one in parts.unanswered.found]),
        "vapi_accounts": _known(lambda: _unread(ACCOUNTS_UNREAD, parts.accounts.problem, parts.accounts.passed_over)),
        "display_names": _known(lambda: _unread(NAMES_UNREAD, parts.names.problem)),
        "log_heads": _known(lambda: _unread(HEADS_UNSIGNED, parts.signing_problem)),
        "tool_calls": _known(lambda: _unread(CALLS_UNREAD, parts.calls.problem)),
        "notices_disabled": partial(noted, pool, _disabled),
        "looks_late": partial(noted, pool, late_looks),
        "vapi_key": partial(noted, pool, paused_keys),
        "vapi_clock": _known(lambda: _skew(parts)),
        "records_lost": partial(noted, pool, open_losses),
    }
    health.starting = None


def told_by(settings: Settings, parts: Dependencies) -> Parts:
    """What the console shows of the parts of this process."""

    def readers() -> tuple[Reader, ...]:
        members = ((settings.assistants_topic, parts.consumer), (settings.tool_calls_topic, parts.calls))
        return tuple(Reader(topic, member.behind_seconds(), member.problem) for topic, member in members)

    return Parts(
        leads=lambda: {published.name: relay.leads for published, relay in zip(ALL, parts.relays, strict=True)},
        readers=readers,
        signs=lambda: parts.signing_problem,
    )


async def noted(pool: Pool, read: Callable[[Connection], Awaitable[Sequence[object]]]) -> Sequence[object]:
    """What is read, for ``/readyz``; nothing while the database is away, as its own check says so."""
    try:
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            return await read(connection)
    except db.WAITED_OUT_ERRORS:
        return ()


def _known(read: Callable[[], T]) -> Callable[[], Awaitable[T]]:
    """A check, or a note, of what the process knows already."""

    async def answer() -> T:
        return read()

    return answer


def _unread(meaning: str, *problems: str | None) -> list[dict[str, str]]:
    return [{"problem": problem, "meaning": meaning} for problem in problems if problem is not None]


def _skew(parts: Dependencies) -> list[dict[str, object]]:
    problem = parts.clock_watch.problem
    return [] if problem is None else [{"skew_seconds": parts.clock_watch.skew_seconds, "meaning": problem}]


async def _disabled(connection: Connection) -> list[dict[str, object]]:
    disabled = await count_disabled(connection)
    return [{"clinics": disabled, "meaning": NOTICES_DISABLED}] if disabled else []
