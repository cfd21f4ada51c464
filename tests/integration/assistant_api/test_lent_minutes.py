"""What this service does not need of the key's minute, given up to tool-sync by name."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox
from zerotouch_platform.vapi.key_name import fingerprint_of

from .harness import Harness, Vapi, make_settings, running

RATE, SHARE, KEPT = 1200, 480, 120
PATH = "/api/vapi-minutes"


@pytest_asyncio.fixture(loop_scope="session")
async def lender(assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi) -> AsyncIterator[Harness]:
    settings = make_settings(assistant_api_db, sandbox, vapi_requests_per_minute=RATE, vapi_rate_batch=1)
    async with running(settings, assistant_api_db, vapi) as harness:
        yield harness


def running_minute() -> int:
    return int(time.time() // 60)


def body_of(harness: Harness, requests: Any = 1000, minute: Any = None) -> dict[str, Any]:
    key = fingerprint_of(harness.service.settings.vapi_api_key.get_secret_value())
    return {"key": key, "minute": running_minute() if minute is None else minute, "requests": requests}


async def lent(harness: Harness, requests: int = 1000, minute: int | None = None) -> int:
    answer = await harness.post(PATH, body_of(harness, requests, minute))
    assert answer.status_code == 200, answer.text
    requests_lent: int = answer.json()["requests"]
    return requests_lent


async def early_in_a_minute() -> int:
    """A minute that runs for ten seconds yet."""
    if time.time() % 60 > 50:
        await asyncio.sleep(60.1 - time.time() % 60)
    return running_minute()


async def drawn(harness: Harness, minute: int, wanted: int) -> int:
    key = harness.service.vapi.key.fingerprint
    async with harness.service.database.connection() as connection:
        granted: int = await connection.fetchval(
            "SELECT granted FROM draw_requests_of($1, $2::bigint, $3, 0, $4)", key, minute, SHARE, wanted
        )
        return granted


async def test_all_but_what_is_kept_is_lent_once_and_not_drawn_any_more(lender: Harness) -> None:
    minute = await early_in_a_minute()

    assert await lent(lender, minute=minute) == SHARE - KEPT
    assert await lent(lender, minute=minute) == 0
    assert await drawn(lender, minute, 1000) == KEPT


async def test_no_more_is_lent_than_was_asked_for(lender: Harness) -> None:
    assert await lent(lender, 7, await early_in_a_minute()) == 7


async def test_what_is_used_here_is_not_lent(lender: Harness) -> None:
    minute = await early_in_a_minute()
    assert await drawn(lender, minute, 300) == 300

    assert await lent(lender, minute=minute) == SHARE - 300 - KEPT


async def test_twice_what_the_minute_before_needed_is_kept_and_what_it_lent_was_no_need(lender: Harness) -> None:
    minute = await early_in_a_minute()
    assert await drawn(lender, minute - 1, 150) == 150
    assert await lent(lender, 30, minute - 1) == 30

    assert await lent(lender, minute=minute) == SHARE - 2 * 150


async def test_whoever_asks_at_once_and_draws_meanwhile_has_no_request_twice(lender: Harness) -> None:
    minute = await early_in_a_minute()
    given, used = await asyncio.gather(
        asyncio.gather(*(lent(lender, 50, minute) for _ in range(12))),
        asyncio.gather(*(drawn(lender, minute, 20) for _ in range(12))),
    )

    assert sum(given) + sum(used) <= SHARE
    # Whoever is first gets it: 240 are drawn before anything is lent, and only what was kept after everything was.
    assert sum(used) >= KEPT
    assert sum(used) == 240 or sum(given) + sum(used) == SHARE


async def test_nothing_is_lent_of_a_minute_that_does_not_run(lender: Harness) -> None:
    minute = await early_in_a_minute()
    assert await lent(lender, minute=minute + 5) == 0
    assert await lent(lender, minute=minute - 5) == 0


async def test_nothing_is_lent_beside_a_minute_that_vapi_refused(lender: Harness) -> None:
    minute = await early_in_a_minute()
    await drawn(lender, minute - 1, 1)
    await lender.owner.execute("UPDATE key_minutes SET refused = true WHERE minute = $1", minute - 1)

    assert await lent(lender, minute=minute) == 0


async def test_another_key_and_no_rate_are_conflicts(harness: Harness) -> None:
    no_rate = await harness.post(PATH, body_of(harness))
    other = await harness.post(PATH, body_of(harness) | {"key": "0" * 32})

    assert (no_rate.status_code, other.status_code) == (409, 409)
    assert "VAPI_REQUESTS_PER_MINUTE" in no_rate.json()["detail"]
    assert "another Vapi key" in other.json()["detail"]


@pytest.mark.parametrize(
    "change",
    [
        *({"requests": requests} for requests in (0, -1, 1.5, "7", True, 10**9)),
        *({"minute": minute} for minute in (-1, 2**63, "now", None)),
        *({"key": key} for key in ("x", "\u0000" * 32)),
        {"account": "platform"},
    ],
)
async def test_a_body_without_the_form_is_refused(lender: Harness, change: dict[str, Any]) -> None:
    answer = await lender.post(PATH, body_of(lender) | change)
    assert answer.status_code == 422
    assert await lender.owner.fetchval("SELECT coalesce(sum(lent), 0) FROM key_minutes") == 0


async def test_only_the_platform_borrows(lender: Harness) -> None:
    org_id = await lender.organization("Adler")
    as_clinic = await lender.post(PATH, body_of(lender), org_id)
    as_nobody: httpx.Response = await lender.http.post(PATH, json=body_of(lender))

    assert (as_clinic.status_code, as_nobody.status_code) == (403, 401)
