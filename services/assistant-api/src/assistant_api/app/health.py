"""What this process says of its health: its parts, the database, and what holds up work that no restart would do."""

from collections.abc import Awaitable, Callable

from assistant_api.app.composition import Composition
from assistant_api.db import DATABASE_AWAY, Connection, Database
from assistant_api.vapi.pause import own_accounts_refused, read_pause
from zerotouch_platform.health import Note
from zerotouch_platform.kafka.ledger import open_losses
from zerotouch_platform.kafka.topics import problem_of


def watch(service: Composition) -> None:
    """Make the keys of tokens, the database, Kafka, the outcomes' consumer and what there is to note part of it."""
    health, settings, database = service.health, service.settings, service.database
    outcomes, clock_watch, fingerprint = service.outcomes, service.clock_watch, service.vapi.key.fingerprint

    async def outcomes_problem() -> str | None:
        return outcomes.problem

    async def outcomes_wedged() -> str | None:
        return outcomes.wedged

    async def clock() -> object:
        problem = clock_watch.problem
        return None if problem is None else {"skewSeconds": clock_watch.skew_seconds, "meaning": problem}

    async def losses(connection: Connection) -> object:
        return [str(loss) for loss in await open_losses(connection)]

    async def key(connection: Connection) -> object:
        pause = await read_pause(connection, fingerprint)
        return pause.shown() if pause is not None and pause.needs_a_person else None

    async def contracts_lacking() -> object:
        return [{"tool": tool, "contract": contract} for tool, contract in service.published.now.lacking]

    health.live["outcomes"] = outcomes_wedged
    health.ready |= {
        "token_keys": service.token_keys.problem,
        "revoked_tokens": service.revoked_tokens.problem,
        "database": database.check,
        "kafka": lambda: problem_of(settings.kafka_bootstrap_servers, settings.topics),
        "outcomes": outcomes_problem,
    }
    health.notes |= {
        "tokenKeys": service.token_keys.note,
        "revokedTokens": service.revoked_tokens.note,
        "vapiClock": clock,
        "recordsLost": _noted(database, losses),
        "vapiKey": _noted(database, key),
        "vapiAccounts": _noted(database, own_accounts_refused),
        "contractsLacking": contracts_lacking,
    }


def _noted(database: Database, look: Callable[[Connection], Awaitable[object]]) -> Note:
    async def look_once() -> object:
        try:
            async with database.connection() as connection:
                return await look(connection)
        except DATABASE_AWAY:  # it was there a moment ago; the next look says so
            return None

    return look_once
