"""How a clinic stands, for anybody who has the address: sentences and times, without names, reasons and ids."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tool_sync.db import Connection
from tool_sync.queries.as_of import StateAsOf
from tool_sync.queries.assistants import assistants_after
from tool_sync.queries.can_book import Standing, State, standings
from tool_sync.queries.coverage import Coverage, cannot_book, coverage_of
from tool_sync.queries.tool_calls import calls_of

SHOWN_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class StatusSentence:
    """What is said of the clinic, or of one assistant, and which state that is."""

    state: State
    text: str


@dataclass(frozen=True, slots=True)
class StatusShown:
    """As of ``at``. ``last_booking`` is by the clinic's clock; None where none is known."""

    sentences: tuple[StatusSentence, ...]
    last_booking: str | None
    time_zone: str
    at: datetime


async def status_of(connection: Connection, moment: StateAsOf) -> StatusShown | None:
    """None where the clinic was deleted."""
    org_id = moment.org_id
    if moment.state.closed:
        return None
    found, first = await coverage_of(connection, org_id), await assistants_after(connection, org_id, "", 2)
    is_one = len(first) == 1
    agents = [one.agent_id for one in first]
    if not is_one:
        agents = [one.agent_id for one in await cannot_book(connection, org_id, limit=SHOWN_MAX)]
    told = await standings(connection, moment, agents)
    calls = await calls_of(connection, org_id)
    sentences = tuple(_one(told)) if is_one else tuple(_many(found, told))
    return StatusShown(sentences, calls.last_booking, calls.time_zone, calls.at)


def _one(told: tuple[Standing, ...]) -> Iterator[StatusSentence]:
    yield from (StatusSentence(one.state, _sentence("Your assistant", one)) for one in told)


def _many(found: Coverage, told: tuple[Standing, ...]) -> Iterator[StatusSentence]:
    if not found.assistants:
        yield StatusSentence("none", "No assistant takes bookings.")
        return
    whole = found.equipped == found.assistants
    count = f"{found.equipped:,} of {found.assistants:,} assistants can book."
    yield StatusSentence("can" if whole else "cannot", count)
    yield from (StatusSentence(one.state, _sentence("One", one)) for one in told)
    if (more := found.assistants - found.equipped - len(told)) > 0:
        yield StatusSentence("cannot", f"{more:,} more cannot.")


def _sentence(subject: str, one: Standing) -> str:
    """Who has to act is told on the clinic's own page."""
    after = one.next if not one.who_acts else ""
    if not after and one.state == "cannot" and one.who_acts != "clinic":
        after = "We look after it."
    return f"{subject} {one.brief}. {after}".rstrip()
