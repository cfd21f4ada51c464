"""Asking for erasures, and what there is of a patient anywhere in the database."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx

from ..harness import Harness

NAME: Final = "Canaria Nightingale"
PHONE: Final = "+49151770077077"
NOTES: Final = "CanaryAllergicToPenicillin"
CANARIES: Final = ("Canaria", "Nightingale", "CanaryAllergic", "770077077")
WHY: Final = {"X-Access-Reason": "the patient asked"}


async def erase(
    harness: Harness, org_id: UUID, body: dict[str, Any], *, key: str | None = None, status: int = 201
) -> dict[str, Any]:
    """POST an erasure as the clinic; the answer, which must have this status."""
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = await harness.post("/api/erasures", body, org_id, headers)
    assert answer.status_code == status, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def receipt(harness: Harness, org_id: UUID, erasure: dict[str, Any]) -> dict[str, Any]:
    """The receipt as it is now."""
    answer: httpx.Response = await harness.get(f"/api/erasures/{erasure['id']}", org_id)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def everything(owner: "asyncpg.Connection[asyncpg.Record]") -> str:
    """All rows of all tables, as text."""
    names = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    rows = [await owner.fetch(f"SELECT t::text FROM {name[0]} t") for name in names]  # noqa: S608
    return "\n".join(str(row) for table in rows for row in table)


def found_in(text: str, canaries: Iterable[str] = CANARIES) -> set[str]:
    """The canaries that a text holds."""
    return {canary for canary in canaries if canary in text}
