"""Every assistant of the account: its id, and whose it is. Read page by page; the documents themselves are not kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from opentelemetry.trace import INVALID_SPAN

from assistant_api.document import AgentMarker, attempt_of
from zerotouch_platform.vapi import json
from zerotouch_platform.vapi.answers import LIST_BYTES_MAX
from zerotouch_platform.vapi.clock import VapiClock
from zerotouch_platform.vapi.exchange import Exchange, Failed
from zerotouch_platform.vapi.paging import ListUnreadable, PageTooLarge, Window, created_at, pages
from zerotouch_platform.vapi.transport import PooledTransport

PAGE_LIMIT: Final = 250
PAGE_SECONDS_MAX: Final = 60.0


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


async def list_assistants(base_url: str, key: Callable[[], str], installation_id: UUID) -> Listing:
    """The whole account of ``key``. Raises :class:`VapiNotListed`: half a list is none."""
    exchange = Exchange(base_url.rstrip("/"), key, PooledTransport(1), VapiClock())

    async def ask(query: Mapping[str, str]) -> list[object]:
        body = await exchange(
            "GET", "/assistant", query=query, limit=LIST_BYTES_MAX, deadline_seconds=PAGE_SECONDS_MAX, span=INVALID_SPAN
        )
        match body:
            case Failed(status=None):
                raise VapiNotListed(f"Vapi does not answer: {body.reason}")
            case Failed():
                raise VapiNotListed(f"Vapi answers {body.status}")
            case None:
                raise PageTooLarge
        return await json.read_list_aside(body)

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
    finally:
        await exchange.transport.close()
    return Listing(frozenset(ids), tuple(marked))
