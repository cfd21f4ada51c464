"""Reading agents: one by id, a page of them, and whose id it is that a caller named."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from assistant_api.db import Connection, Database
from assistant_api.paging import cursor_of, cursor_text
from assistant_api.problem import Problem, invalid, not_found
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller, OrgMember

PAGE_MAX: Final = 200

_COLUMNS: Final = """
SELECT org_id, id, name, system_prompt, first_message, voice, model, vapi_assistant_id, saved_revision,
asked_revision, provisioned_revision, refused_revision, refusal, failure_code, created_at, updated_at FROM agents
"""
_READ: Final = f"{_COLUMNS} WHERE org_id = $1 AND id = $2"
_PAGE: Final = f"""{_COLUMNS}
WHERE ($1::uuid IS NULL OR org_id = $1) AND ($2::uuid IS NULL OR (org_id, id) > ($2, $3))
ORDER BY org_id, id LIMIT $4
"""


def reading(database: Database, caller: Caller) -> AbstractAsyncContextManager[Connection]:
    """A connection for a caller's reads: an organization's sees its own rows only."""
    return database.tenant(caller.org_id) if isinstance(caller, OrgMember) else database.connection()


def org_of(caller: Caller, named: UUID | None) -> UUID | None:
    """The organization a request is about: the token's, or the one that the platform names. 404 for a foreign one."""
    if not isinstance(caller, OrgMember):
        return named
    if named is not None and named != caller.org_id:
        raise not_found()
    return caller.org_id


def require_org(caller: Caller, named: UUID | None) -> UUID:
    """Like :func:`org_of`, for what needs one organization: a 422 problem where the platform names none."""
    org_id = org_of(caller, named)
    if org_id is None:
        raise invalid("orgId is needed with a token of the platform", [{"field": "orgId", "problem": "is missing"}])
    return org_id


async def resolve(database: Database, caller: Caller, agent_id: str, named: UUID | None) -> tuple[UUID, str]:
    """The full key of an agent. Ids are unique within an organization only.

    404 where the caller has no such agent; 409 where the platform's token does not say which organization's it means
    and there are several.
    """
    org_id = org_of(caller, named)
    async with reading(database, caller) as connection:
        rows = await connection.fetch(
            "SELECT org_id FROM agents WHERE id = $1 AND ($2::uuid IS NULL OR org_id = $2) LIMIT 2", agent_id, org_id
        )
    if not rows:
        raise not_found()
    if len(rows) > 1:
        raise Problem(
            409, ErrorCode.INVALID_REQUEST, "several organizations have an agent with this id; say which by orgId"
        )
    return rows[0]["org_id"], agent_id


async def read(database: Database, caller: Caller, agent_id: str, named: UUID | None) -> dict[str, Any]:
    """One agent as HTTP shows it; 404 and 409 as :func:`resolve`."""
    org_id, _ = await resolve(database, caller, agent_id, named)
    async with reading(database, caller) as connection:
        row = await connection.fetchrow(_READ, org_id, agent_id)
    if row is None:
        raise not_found()
    return shown(dict(row))


async def page(
    database: Database, caller: Caller, named: UUID | None, *, limit: int, after: str | None
) -> dict[str, Any]:
    """A page in order of organization and id; ``next`` is the cursor of the following one, None at the end."""
    org_id = org_of(caller, named)
    after_org, after_id = cursor_of(after, UUID, _agent_id)
    async with reading(database, caller) as connection:
        rows = await connection.fetch(_PAGE, org_id, after_org, after_id, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    following = None if last is None else cursor_text(str(last["org_id"]), last["id"])
    return {"items": [shown(dict(row)) for row in rows[:limit]], "next": following}


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as HTTP shows it."""
    return {
        "id": row["id"],
        "orgId": str(row["org_id"]),
        "name": row["name"],
        "systemPrompt": row["system_prompt"],
        "firstMessage": row["first_message"],
        "voice": row["voice"],
        "model": row["model"],
        "vapiAssistantId": row["vapi_assistant_id"],
        "revision": row["saved_revision"],
        "state": state_of(row),
        "createdAt": _time(row["created_at"]),
        "updatedAt": _time(row["updated_at"]),
    }


def state_of(row: Mapping[str, Any]) -> str:
    """`provisioning`, `provisioned` or `refused`: where the newest revision is that somebody asked for."""
    if row["provisioned_revision"] >= row["asked_revision"]:
        return "provisioned"
    return "refused" if row["refused_revision"] >= row["asked_revision"] else "provisioning"


def _time(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _agent_id(text: str) -> str:
    if "\x00" in text:
        raise ValueError
    return text
