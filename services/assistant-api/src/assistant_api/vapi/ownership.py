"""Whose account a key is of: Vapi says it by the `orgId` of what the key shows, and by nothing else (ADR 76).

GET /assistant ── something of an account ──► that one
               ── nothing ─► GET /tool ────── the same; nothing here either: nobody knows
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry.trace import INVALID_SPAN

from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.vapi import json
from zerotouch_platform.vapi.answers import CODES, LIST_BYTES_MAX, Meaning
from zerotouch_platform.vapi.clock import VapiClock
from zerotouch_platform.vapi.exchange import Exchange, Failed
from zerotouch_platform.vapi.transport import PooledTransport

KINDS: Final = ("/assistant", "/tool")
ITEMS: Final = 5
"""Looked at: the platform's defaults, which belong to no account, may be among them."""
_ORG_ID: Final = re.compile(r"[A-Za-z0-9-]{1,59}")


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Vapi's id of the account."""

    vapi_org: str


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """Vapi does not take the key, or not for this."""

    status: int


@dataclass(frozen=True, slots=True)
class NobodyKnows:
    """The account shows nothing that names it, or more than one account."""


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Vapi does not say now."""

    code: ErrorCode


Answer = KeyOwner | KeyRefused | NobodyKnows | NotAsked


async def owner_of(base_url: str, api_key: Callable[[], str], *, deadline_seconds: float) -> Answer:
    """Ask Vapi, at most once for each of :data:`KINDS`."""
    exchange = Exchange(base_url.rstrip("/"), api_key, PooledTransport(1), VapiClock())
    try:
        for path in KINDS:
            body = await exchange(
                "GET", path, query={"limit": str(ITEMS)}, limit=LIST_BYTES_MAX, deadline_seconds=deadline_seconds,
                span=INVALID_SPAN,
            )  # fmt: skip
            if isinstance(body, Failed):
                return _failed(body)
            found = await _named_in(body or b"")
            if found is None or len(found) > 1:
                return NobodyKnows()
            if found:
                return KeyOwner(found.pop())
    finally:
        await exchange.transport.close()
    return NobodyKnows()


def _failed(failed: Failed) -> Answer:
    if failed.status is None:
        return NotAsked(ErrorCode.VAPI_UNREACHABLE)
    if failed.meaning is Meaning.KEY_REFUSED:
        return KeyRefused(failed.status)
    return NotAsked(CODES.get(failed.meaning, ErrorCode.VAPI_ANSWER_INVALID))


async def _named_in(body: bytes) -> set[str] | None:
    """The accounts that a list names; None where it is no list, or names one that is no id."""
    try:
        items = await json.read_list_aside(body)
    except json.Unreadable:
        return None
    named = {item["orgId"] for item in items if isinstance(item, Mapping) and item.get("orgId") is not None}
    return named if all(isinstance(org, str) and _ORG_ID.fullmatch(org) for org in named) else None
