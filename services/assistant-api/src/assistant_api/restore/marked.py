"""Every assistant of the account: its id, and whose it is. Read page by page; the documents themselves are not kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import httpx

from assistant_api.document import AgentMarker, attempt_of
from zerotouch_platform.vapi import json
from zerotouch_platform.vapi.answers import LIST_BYTES_MAX, BodyTooLarge, read_body
from zerotouch_platform.vapi.paging import ListUnreadable, PageTooLarge, Window, created_at, pages

PAGE_LIMIT: Final = 250


class VapiNotListed(Exception):
    """The list could not be read whole; the message says why, without anything of its content."""


@dataclass(frozen=True, slots=True)
class Marked:
    """An assistant at Vapi that carries our installation's mark. ``made``: an attempt of ours made it."""

    assistant_id: str
    mark: AgentMarker
    made: bool
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Listing:
    """The account as it is now."""

    ids: frozenset[str]
    marked: tuple[Marked, ...]


async def list_assistants(http: httpx.AsyncClient, installation_id: UUID) -> Listing:
    """The whole account. Raises :class:`VapiNotListed`: half a list is none."""

    async def ask(query: Mapping[str, str]) -> list[object]:
        async with http.stream("GET", "/assistant", params=query) as response:
            if response.status_code != httpx.codes.OK:
                raise VapiNotListed(f"Vapi answers {response.status_code}")
            try:
                return json.read_list(await read_body(response.aiter_bytes(), LIST_BYTES_MAX))
            except BodyTooLarge:
                raise PageTooLarge from None

    ids: set[str] = set()
    marked: list[Marked] = []
    try:
        async for page in pages(ask, Window(), PAGE_LIMIT):
            for item in page.items:
                ids.add(str(item["id"]))
                mark = AgentMarker.of(item)
                if mark is not None and mark.installation_id == installation_id:
                    marked.append(Marked(str(item["id"]), mark, attempt_of(item) is not None, created_at(item)))
    except (ListUnreadable, json.Unreadable) as error:
        raise VapiNotListed(f"its list of assistants cannot be read: {type(error).__name__}") from error
    except httpx.HTTPError as error:
        raise VapiNotListed(f"Vapi does not answer: {type(error).__name__}") from error
    return Listing(frozenset(ids), tuple(marked))
