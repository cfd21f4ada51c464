"""The search field of every page: a name, or any id, request, trace or error code that somebody has in hand.

Every statement is bounded: ids are looked up by an index, and of names at most twenty of each kind are read.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from tool_sync.console.access import PageCaller
from tool_sync.console.pages import page
from tool_sync.console.state import reads
from tool_sync.db import Connection
from tool_sync.http.access import narrowed
from tool_sync.queries.assistants import find_assistants
from tool_sync.queries.display_names import find, find_agents, names_of
from tool_sync.queries.organizations import is_known
from tool_sync.queries.saves import saved_by_request, saved_in_trace
from zerotouch_contracts.errors import entry_of
from zerotouch_contracts.text import uuid_of
from zerotouch_platform.auth import Platform

TEXT_CHARACTERS_MAX: Final = 200
FOUND_MAX: Final = 20
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_AGENT_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that fits. ``path`` is its page below ``/console``."""

    kind: str
    name: str
    path: str


@router.get("/search")
async def get_search(request: Request, caller: PageCaller, q: str = "") -> Response:
    """What fits."""
    text = q.strip()[:TEXT_CHARACTERS_MAX].replace("\x00", "")
    hits: list[Hit] = []
    if text:
        org_id = narrowed(caller, None)
        async with reads(request, org_id) as connection:
            hits = await hits_of(connection, text, org_id)
    command = f"tool-sync org find {shlex.quote(text)}" if text and isinstance(caller, Platform) else None
    return page(request, "search", caller, command=command, text=text, hits=hits)


async def hits_of(connection: Connection, text: str, org_id: UUID | None) -> list[Hit]:
    """Exact ids first, then names; with ``org_id`` of this clinic alone, as the connection's role sees no other."""
    hits = []
    if (id_ := uuid_of(text)) is not None:
        if await is_known(connection, id_):
            hits.append(Hit("clinic", (await names_of(connection, [(id_, None)]))[id_, None], f"/orgs/{id_}"))
        hits += await _assistants(connection, "request", await saved_by_request(connection, id_))
    if _TRACE_ID.fullmatch(text.lower()):
        hits += await _assistants(connection, "trace", await saved_in_trace(connection, text.lower()))
    if _AGENT_ID.fullmatch(text):
        hits += await _assistants(connection, "assistant", await find_assistants(connection, text))
    if org_id is None and (entry := entry_of(text.upper())) is not None:
        hits.append(Hit("error", f"{text.upper()} {entry.title}", f"/failures?code={text.upper()}"))
    hits += [Hit("clinic", one.name, f"/orgs/{one.org_id}") for one in await find(connection, text, FOUND_MAX)]
    hits += [
        Hit("assistant", one.name, f"/orgs/{one.org_id}/agents/{one.agent_id}")
        for one in await find_agents(connection, text, org_id, FOUND_MAX)
    ]
    return list({(hit.kind, hit.path): hit for hit in hits}.values())


async def _assistants(connection: Connection, kind: str, found: Sequence[tuple[UUID, str]]) -> list[Hit]:
    names = await names_of(connection, found)
    return [Hit(kind, names[one], f"/orgs/{one[0]}/agents/{one[1]}") for one in found]
