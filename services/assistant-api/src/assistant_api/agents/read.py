"""Reading agents: one by id, a page of them, and whose id it is that a caller named."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Literal
from uuid import UUID

from pydantic_core import to_json

from assistant_api.db import Connection, Database
from assistant_api.paging import cursor_of, cursor_text
from assistant_api.problem import Problem, invalid, not_found
from assistant_api.shown_rows import time_text
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller, OrgMember

PAGE_MAX: Final = 200
PAGE_BYTES_MAX: Final = 1024 * 1024
"""Of prompts and models: 200 of the longest would be 100 MB, and hold up everybody while they are written as JSON. The
row that reaches it is still in the page, so that each page has one."""

_COLUMNS: Final = """
SELECT org_id, id, name, system_prompt, first_message, voice, model, vapi_assistant_id, saved_revision,
asked_revision, provisioned_revision, refused_revision, refusal, failure_code, created_at, updated_at FROM agents
"""
_READ: Final = f"{_COLUMNS} WHERE org_id = $1 AND id = $2"
_PAGE: Final = f"""{_COLUMNS}
WHERE ($1::uuid IS NULL OR org_id = $1) AND ($2::uuid IS NULL OR (org_id, id) > ($2, $3))
ORDER BY org_id, id LIMIT $4
"""
_ROWS_AT_ONCE: Final = 10
"""Of a page: whoever asks for all of them and keeps a megabyte has the database unpack the rest in vain, and 20 of the
longest voices took 0.05 s to be decoded."""


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
    """A page in order of organization and id, of ``limit`` agents or :data:`PAGE_BYTES_MAX`.

    ``next`` is the cursor of the following one, None at the end.
    """
    org_id = org_of(caller, named)
    place = cursor_of(after, UUID, _agent_id)
    rows: list[dict[str, Any]] = []
    room, more = PAGE_BYTES_MAX, True
    async with reading(database, caller) as connection:
        while more and room > 0 and len(rows) < limit:
            wanted = min(_ROWS_AT_ONCE, limit - len(rows))
            found = await connection.fetch(_PAGE, org_id, *place, wanted + 1)
            more = len(found) > wanted
            for row in map(dict, found[:wanted]):
                if room <= 0:
                    more = True
                    break
                rows.append(row)
                room -= _size(row)
            place = (rows[-1]["org_id"], rows[-1]["id"]) if rows else place
    following = cursor_text(str(rows[-1]["org_id"]), rows[-1]["id"]) if rows and more else None
    return {"items": [shown(row) for row in rows], "next": following}


def _size(row: Mapping[str, Any]) -> int:
    """Bytes of what makes an agent long."""
    texts = (row["system_prompt"] or "", row["first_message"] or "")
    return sum(len(text.encode()) for text in texts) + len(to_json((row["model"], row["voice"])))


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
        "createdAt": time_text(row["created_at"]),
        "updatedAt": time_text(row["updated_at"]),
    }


def state_of(row: Mapping[str, Any]) -> Literal["provisioning", "provisioned", "refused"]:
    """`provisioning`, `provisioned` or `refused`: where the newest revision is that somebody asked for."""
    if row["provisioned_revision"] >= row["asked_revision"]:
        return "provisioned"
    return "refused" if row["refused_revision"] >= row["asked_revision"] else "provisioning"


def _agent_id(text: str) -> str:
    if "\x00" in text:
        raise ValueError
    return text
