"""Which clinics an order is for, what each waits for, and trying those again that Vapi did not take.

A page is a walk over a part of all clinics, by id: what it does not find goes on behind ``next_after``.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from tool_sync.db import Connection, read_now
from tool_sync.domain.events import RetryRequested
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.domain.fleet.progress import ClinicProgress, ClinicState, progress_of
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.domain.fleet.work import ClinicFacts
from tool_sync.log import AppendRequest, Log, fact, org_stream
from tool_sync.queries.tool_tries import FailedTry, failed_tries
from tool_sync.release import SERVICE_VERSION
from tool_sync.rollouts.facts import PAGE_CLINICS, facts_of, page_of
from tool_sync.vapi.words import read_words

SOURCE: Final = "/zerotouch/tool-sync/rollouts"
PAGES_MAX: Final = 10
"""Of clinics that one page of an answer walks over: 20,000, a second's work."""
WORDS_READ: Final = 20
APPENDS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class OrderedClinic:
    """``why`` says what it waits for, or why it is left as it is. ``code``: of the newest try, where that failed.

    ``retry_at``: when it is tried again by itself. ``words``: what Vapi said, where it refused.
    """

    org_id: UUID
    state: ClinicState
    why: str | None
    code: str | None
    retry_at: datetime | None
    words: str | None


@dataclass(frozen=True, slots=True)
class ClinicsPage:
    """By id. ``next_after`` asks for the next page, also where this one is empty; None where this is the last."""

    clinics: tuple[OrderedClinic, ...]
    next_after: UUID | None


@dataclass(frozen=True, slots=True)
class Retried:
    """So many clinics are tried again now."""

    clinics: int


async def clinics_of(
    connection: Connection, fleet: Fleet, order: Order, *, state: ClinicState | None, after: UUID | None, limit: int
) -> ClinicsPage:
    """At most ``limit`` clinics that the order is for; ``state``: only those that have come so far."""
    found: list[tuple[UUID, ClinicProgress]] = []
    is_last, now = False, await read_now(connection)
    for _ in range(PAGES_MAX):
        page = await page_of(connection, order.tool, after, PAGE_CLINICS, now)
        for facts in page:
            after = UUID(facts.clinic.org_id)
            progress = progress_of(facts, fleet, order)
            if progress is not None and state in (None, progress.state):
                found.append((after, progress))
                if len(found) == limit:
                    break
        else:
            is_last = len(page) < PAGE_CLINICS
        if is_last or len(found) == limit:
            break
    clinics = tuple([clinic async for clinic in _shown(connection, order.tool, found)])
    return ClinicsPage(clinics, None if is_last else after)


async def _shown(
    connection: Connection, tool: str, found: list[tuple[UUID, ClinicProgress]]
) -> AsyncIterator[OrderedClinic]:
    asked = [org_id for org_id, progress in found if progress.state in ("waiting", "refused")]
    tries: Mapping[UUID, FailedTry] = await failed_tries(connection, tool, asked)
    for org_id, progress in found:
        failed = tries.get(org_id)
        words = await _words(connection, org_id, failed.code) if failed is not None else None
        code, retry_at = (None, None) if failed is None else (failed.code, failed.retry_at)
        yield OrderedClinic(org_id, progress.state, progress.why, code, retry_at, words)


async def _words(connection: Connection, org_id: UUID, code: str) -> str | None:
    """What Vapi said last about a tool of the clinic, with this code."""
    read = await read_words(connection, org_id=org_id, agent_id=None, trace_id=None, limit=WORDS_READ)
    return next((one.words for one in read if one.agent_id is None and one.code == code), None)


async def retry_clinics(
    connection: Connection, log: Log, fleet: Fleet, order: Order, *, org_id: UUID | None, reason: str, actor: str
) -> Retried | Refused:
    """Try clinics again now whose tool Vapi refused, or whose newest try failed, whatever they wait for.

    Each is asked for by the event that `failures retry` writes. Asking twice does no harm. ``org_id``: only this one.
    """
    if order.state not in ("running", "completed"):
        said = order.state.replace("_", " ")
        return Refused(f"rollout {order.rollout_id} is {said}, so it cannot be retried")
    count = 0
    async for page in _pages(connection, order.tool, org_id):
        due = await _to_retry(connection, fleet, order, page)
        for begin in range(0, len(due), APPENDS_AT_ONCE):
            await log.append_all([_request(one, reason, actor) for one in due[begin : begin + APPENDS_AT_ONCE]])
        count += len(due)
    if not count and org_id is not None:
        return Refused(f"organization {org_id} has no failed try of rollout {order.rollout_id}")
    return Retried(count)


async def _pages(connection: Connection, tool: str, org_id: UUID | None) -> AsyncIterator[list[ClinicFacts]]:
    now = await read_now(connection)
    if org_id is not None:
        yield await facts_of(connection, tool, [org_id], now)
        return
    after = None
    while page := await page_of(connection, tool, after, PAGE_CLINICS, now):
        yield page
        after = UUID(page[-1].clinic.org_id)


async def _to_retry(connection: Connection, fleet: Fleet, order: Order, page: list[ClinicFacts]) -> list[UUID]:
    refused, waiting = list[UUID](), list[UUID]()
    for facts in page:
        progress = progress_of(facts, fleet, order)
        if progress is None or facts.clinic.closed:
            continue
        if progress.state == "refused":
            refused.append(UUID(facts.clinic.org_id))
        elif progress == ClinicProgress("waiting"):  # for nothing else
            waiting.append(UUID(facts.clinic.org_id))
    return [*refused, *await failed_tries(connection, order.tool, waiting)]


def _request(org_id: UUID, reason: str, actor: str) -> AppendRequest:
    return fact(
        org_stream(org_id), org_id, RetryRequested(None, reason), source=SOURCE, cause=str(uuid4()), actor=actor,
        service_version=SERVICE_VERSION,
    )  # fmt: skip
