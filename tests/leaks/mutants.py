"""Broken walls. Each must be caught; a matrix that passes one of them proves nothing about the real one.

A statement loses a condition on its way to the database, a function is replaced in the running code, or a policy, grant
or function in a copy of the database.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final
from unittest.mock import patch
from uuid import UUID

import asyncpg

from assistant_api.agents import read
from assistant_api.http import dependencies, idempotency
from assistant_api.http.routes import vapi_keys
from assistant_api.paging import cursor_of
from devstack.databases import Service
from tool_sync.http import access, assistants, explain, feed_reader, routes
from tool_sync.outcomes.filters import Filter
from zerotouch_platform.auth import AnyScope, Caller, Need, NotAllowed, OrgMember, RouteNeed

from . import matrix, rows
from .world import World

Code = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """``does`` says what is wrong; ``code`` and ``sql`` make it so. Caught by the operations that ``routes`` finds by
    `METHOD path`, or by row-level security's own statements on the table."""

    does: str
    service: Service
    routes: str = ""
    table: str = ""
    code: Code = nullcontext
    sql: str | Callable[[Any], Any] = ""


async def found_by(world: World, mutant: Mutant) -> list[str]:
    """What the matrix finds wrong with a mutant."""
    if mutant.sql:
        await (world.admin.execute(mutant.sql) if isinstance(mutant.sql, str) else mutant.sql(world.admin))
    with mutant.code():
        if mutant.routes:
            return (await matrix.run(world, lambda name: re.fullmatch(mutant.routes, name) is not None)).findings
        return (await rows.run(world, lambda table: table == mutant.table)).findings


@contextmanager
def statement(old: str, new: str) -> Iterator[None]:
    """Every statement of the running code with ``old`` in it has ``new`` there; one must come."""
    connection: Any = asyncpg.Connection
    execute, met = connection._execute, False

    async def mutated(self: Any, query: str, *arguments: Any, **more: Any) -> Any:
        nonlocal met
        met |= old in query
        return await execute(self, query.replace(old, new), *arguments, **more)

    with patch.object(connection, "_execute", mutated):
        yield
    assert met, f"no statement has {old}"


@contextmanager
def several(*targets: tuple[Any, str], by: Any) -> Iterator[None]:
    """The same name in several modules that have imported it."""
    (target, name), *rest = targets
    with patch.object(target, name, by), several(*rest, by=by) if rest else nullcontext():
        yield


def _any_scope(caller: Caller, need: RouteNeed) -> None:
    if isinstance(caller, OrgMember) and need is Need.PLATFORM:
        raise NotAllowed(None)


def _any_role(caller: Caller, need: RouteNeed) -> None:
    if isinstance(need, AnyScope) and isinstance(caller, OrgMember) and not (caller.scopes is None or caller.scopes):
        raise NotAllowed(need.scopes[0])


def _whoever_is_named(caller: Caller, named: Any) -> Any:
    return named or getattr(caller, "org_id", None)


@contextmanager
def the_cursor_says_whose_page_it_is() -> Iterator[None]:
    """The page begins in the clinic of the cursor, whichever was asked for."""
    page = read.page

    async def mutated(database: Any, caller: Any, named: Any, *, limit: int, after: str | None) -> Any:
        org_id, _ = cursor_of(after, UUID, str)
        wanted = named if isinstance(caller, OrgMember) else org_id or named
        return await page(database, caller, wanted, limit=limit, after=after)

    with patch.object(read, "page", mutated):
        yield


@contextmanager
def the_feed_is_everybodys() -> Iterator[None]:
    """The reader's clinic is forgotten once its types are known."""
    of = Filter.of

    def mutated(names: Any = (), org_id: Any = None, *rest: Any) -> Filter:
        return replace(of(names, org_id, *rest), org_id=None)

    with patch.object(Filter, "of", mutated):
        yield


@contextmanager
def reads_as_nobodys_tenant() -> Iterator[None]:
    """No tenant's transaction: the service's role sees every row."""
    reading = access.reading
    with patch.object(explain, "reading", lambda pool, _org_id: reading(pool, None)):
        yield


def in_function(name: str, old: str, new: str) -> Callable[[Any], Any]:
    """A function of the database with other words in it."""

    async def replaced(admin: Any) -> None:
        source = await admin.fetchval("SELECT pg_get_functiondef($1::regproc)", name)
        assert old in source, f"{name} has no {old}"
        await admin.execute(source.replace(old, new))

    return replaced


def _open(table: str, policy: str) -> str:
    return f"ALTER POLICY {policy} ON {table} USING (true)"


def _agents(does: str, routes: str, old: str, new: str) -> Mutant:
    return Mutant(does, "assistant_api", routes, code=lambda: statement(old, new))


MUTANTS: Final = (
    Mutant(
        "a clinic that is named is not compared with the token's", "assistant_api", "(GET|POST) /api/agents",
        code=lambda: patch.object(read, "org_of", _whoever_is_named),
    ),
    Mutant(
        "a cursor says whose page it is", "assistant_api", "GET /api/agents", code=the_cursor_says_whose_page_it_is,
    ),
    _agents(
        "the list of agents has no filter", "GET /api/agents",
        "($1::uuid IS NULL OR org_id = $1) AND ($2::uuid", "($1::uuid IS NULL OR true) AND ($2::uuid",
    ),
    _agents(
        "an agent is looked for in every clinic", "GET /api/agents/.*",
        "id = $1 AND ($2::uuid IS NULL OR org_id = $2) LIMIT 2", "id = $1 AND ($2::uuid IS NULL OR true) LIMIT 2",
    ),
    _agents(
        "every clinic's agent of this id is deleted", "DELETE /api/agents/.*",
        "DELETE FROM agents WHERE org_id = $1 AND id = $2", "DELETE FROM agents WHERE $1::uuid IS NOT NULL AND id = $2",
    ),
    Mutant(
        "an auto-sync is of every clinic's agents", "assistant_api", "POST /api/assistants/auto-sync",
        sql=in_function(
            "request_save_of_all", "saved_revision + 1 WHERE org_id = p_org_id", "saved_revision + 1 WHERE true"
        ),
    ),
    _agents(
        "every clinic's calendar is replaced", "PUT /api/organizations/.*",
        "WHERE id = $1 RETURNING true", "WHERE $1::uuid IS NOT NULL RETURNING true",
    ),
    _agents(
        "the access log is everybody's", "GET /api/access", " AND org_id = $3", " AND $3::uuid IS NOT NULL",
    ),
    Mutant(
        "a clinic's account at Vapi is shown to any clinic", "assistant_api", "GET /api/organizations/.*/vapi-key",
        code=lambda: patch.object(vapi_keys, "_require_may", lambda *_: None),
    ),
    Mutant(
        "an idempotency key belongs to a subject, whatever its clinic", "assistant_api", "POST /api/agents",
        code=lambda: patch.object(idempotency, "scope_of", lambda caller: f"{caller.role}|{caller.subject}"),
    ),
    Mutant(
        "assistant-api asks for no scope", "assistant_api", "GET /api/appointments",
        code=lambda: patch.object(dependencies, "require", _any_scope),
    ),
    Mutant(
        "assistant-api asks for no role", "assistant_api", "GET /api/saves",
        code=lambda: patch.object(dependencies, "require", _any_role),
    ),
    Mutant(
        "a trigger closes every clinic's saves", "assistant_api", "DELETE /api/agents/.*",
        sql=in_function(
            "agents_publish_deleted", "WHERE org_id = OLD.org_id AND agent_id = OLD.id", "WHERE agent_id = OLD.id"
        ),
    ),
    Mutant("agents: no policy", "assistant_api", table="agents", sql=_open("agents", "tenant_own")),
    Mutant("access log: no policy", "assistant_api", table="access_log", sql=_open("access_log", "tenant_own")),
    Mutant("appointments: no policy", "assistant_api", table="appointments", sql=_open("appointments", "calendar_own")),
    Mutant(
        "tool calls may be written for anybody", "assistant_api", table="tool_calls",
        sql="ALTER POLICY calendar_own ON tool_calls WITH CHECK (true)",
    ),
    Mutant(
        "saves: no row-level security", "assistant_api", table="saves",
        sql="ALTER TABLE saves DISABLE ROW LEVEL SECURITY",
    ),
    Mutant(
        "kept answers can be read by a tenant", "assistant_api", table="agents",
        sql="GRANT SELECT ON idempotency_keys TO assistant_api_tenant",
    ),
    Mutant(
        "who asks is not compared with whom the path names", "tool_sync", "GET /v1/orgs/.*/(history|why)",
        code=lambda: several((access, "require_readable"), (routes, "require_readable"), (explain, "require_readable"),
                             by=lambda _caller, _org_id: None),
    ),
    Mutant(
        "who asks is not compared with whom the query names", "tool_sync", "GET /v1/(assistants|fleet/events)",
        code=lambda: several((assistants, "narrowed"), (feed_reader, "narrowed"), by=_whoever_is_named),
    ),
    Mutant(
        "assistants are looked for in every clinic", "tool_sync", "GET /v1/assistants/.*", code=reads_as_nobodys_tenant
    ),
    Mutant("the feed is everybody's", "tool_sync", "GET /v1/events", code=the_feed_is_everybodys),
    Mutant("the stream is everybody's", "tool_sync", "GET /v1/events/stream", code=the_feed_is_everybodys),
    Mutant(
        "tool-sync asks for no scope", "tool_sync", "PUT /v1/orgs/.*/settings",
        code=lambda: patch.object(access, "require", _any_scope),
    ),
    Mutant("events: no policy", "tool_sync", table="events", sql=_open("events", "tenant")),
    Mutant("tools: no policy", "tool_sync", table="org_tools", sql=_open("org_tools", "tenant")),
    Mutant("words of Vapi: no policy", "tool_sync", table="vapi_words", sql=_open("vapi_words", "tenant")),
    Mutant("texts: no policy", "tool_sync", table="org_tool_texts", sql=_open("org_tool_texts", "tenant")),
    Mutant(
        "assistants: no row-level security", "tool_sync", table="assistants",
        sql="ALTER TABLE assistants DISABLE ROW LEVEL SECURITY",
    ),
    Mutant(
        "what operators did can be read by a tenant", "tool_sync", table="leases",
        sql="GRANT SELECT ON operator_actions TO tool_sync_tenant",
    ),
    Mutant(
        "a tenant stores texts with the owner's rights", "tool_sync", table="leases",
        sql="GRANT EXECUTE ON FUNCTION keep_tool_texts TO tool_sync_tenant",
    ),
)  # fmt: skip
