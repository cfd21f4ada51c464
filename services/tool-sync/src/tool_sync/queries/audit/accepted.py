"""What assistant-api accepted: ``GET /api/saves``, page by page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import httpx

TIMEOUT_SECONDS: Final = 30.0

AcceptedState = Literal["open", "saved", "refused", "deleted"]


class AcceptedUnavailable(Exception):
    """assistant-api does not say what it accepted; the message says why."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A save that assistant-api answered with success. ``saved``: it is in Vapi, and its record was written."""

    request_id: UUID
    org_id: UUID
    agent_id: str
    state: AcceptedState
    at: datetime


async def accepted_saves(base_url: str, token: str, *, since: datetime | None) -> list[Accepted]:
    """All that it still knows (it keeps closed ones for 30 days), from ``since`` on. Raises `AcceptedUnavailable`."""
    found: list[Accepted] = []
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=base_url.rstrip("/"), headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False
    ) as http:
        query = {"since": since.isoformat()} if since else {}
        while True:
            page = await _page(http, query)
            found += [_accepted(item) for item in page["saves"]]
            if page["nextAfter"] is None:
                return found
            query["after"] = page["nextAfter"]


async def _page(http: httpx.AsyncClient, query: dict[str, str]) -> Any:
    try:
        response = await http.get("/api/saves", params=query)
    except httpx.HTTPError as error:
        raise AcceptedUnavailable(f"assistant-api does not answer: {type(error).__name__}") from error
    if response.status_code != httpx.codes.OK:
        raise AcceptedUnavailable(f"assistant-api answers {response.status_code} to GET /api/saves")
    return response.json()


def _accepted(item: Any) -> Accepted:
    at = datetime.fromisoformat(item["createdAt"])
    return Accepted(UUID(item["requestId"]), UUID(item["orgId"]), item["agentId"], item["state"], at)
