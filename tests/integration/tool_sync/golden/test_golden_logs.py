"""Logs as they were stored: what is loaded, folded and published from them today is as pinned."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID, uuid5

import pytest
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.domain.events import FleetEvent, OrgEvent
from tool_sync.domain.toolset import FOLD, Toolset
from tool_sync.log import EventLog, Loaded, UnknownEvent
from tool_sync.log.codec import decode
from tool_sync.log.projections import verify
from tool_sync.log.verify import verify as verify_log
from tool_sync.outcomes.filters import Filter
from tool_sync.outcomes.published import FLEET, OUTCOMES, PublishedTopic
from tool_sync.outcomes.relay.relay import next_page
from tool_sync.publishing.fleet import empty_fleet, with_events
from tool_sync.sync.load import fold
from zerotouch_contracts.envelope import to_record

from ....golden.reading import Row, assert_result, goldens, log_of
from ..ordering import fleet_stream
from .restoring import PROJECTIONS, restore

LOG_ID = UUID("5b3c2f0e-77a5-4a3f-9f0e-1f1c54d5b1aa")
ORG = UUID("c0ffee00-1111-4111-8111-111111111111")
START = datetime(2026, 11, 24, 12, tzinfo=UTC)
ARRIVES = {cls.__name__ for cls in get_args(OrgEvent)}
TOOLSET = TypeAdapter(Toolset)


def every_event() -> list[Row]:
    """A log of one clinic that holds every golden event once, in the order in which the files were added."""
    versions: dict[str, int] = {}
    rows = []
    for position, golden in enumerate(goldens(), start=1):
        org_id: UUID | None = ORG
        event = decode(position, golden.type_name, golden.schema, golden.text)
        if isinstance(event, FleetEvent):
            stream, org_id = fleet_stream(event), None
        else:
            stream = f"org-{ORG}" if golden.type_name in ARRIVES else f"toolset-{ORG}"
        versions[stream] = versions.get(stream, 0) + 1
        meta = {"causation_id": golden.name, "correlation_id": golden.name, "actor": "golden", "service_version": "1",
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}  # fmt: skip
        rows.append({
            "position": position, "stream": stream, "version": versions[stream],
            "event_id": str(uuid5(ORG, golden.name)), "org_id": str(org_id) if org_id else None,
            "type": golden.type_name, "schema": golden.schema, "data": golden.data, "meta": meta, "hash": "00" * 32,
            "recorded_at": (START + timedelta(seconds=position)).isoformat(),
        })  # fmt: skip
    return rows


def clinic() -> list[Row]:
    """The log of a whole life."""
    return log_of("clinic")


def reach() -> list[Row]:
    """The log of a clinic whose assistants were linked and not usable, and that was closed and made anew."""
    return log_of("reach")


def settings() -> list[Row]:
    """The log of a clinic that switched its tools off and on, and took that back."""
    return log_of("settings")


def auto_sync() -> list[Row]:
    """The log of a clinic whose tool was unlinked, and changed, and whose other assistant was deleted, at Vapi."""
    return log_of("auto_sync")


def rollout() -> list[Row]:
    """The log of a clinic through rollouts that went on, expired, stopped and were taken back, and through a halt."""
    return log_of("rollout")


def pins() -> list[Row]:
    """The log of a clinic that was pinned until a time, by hand, beside a halt, and when it was deleted."""
    return log_of("pins")


def windows() -> list[Row]:
    """The log of a clinic whose change window was closed when an order came, and was taken back."""
    return log_of("windows")


def drift() -> list[Row]:
    """The log of a clinic whose tool got other words at Vapi: they were left, taken back, and put right in the end."""
    return log_of("drift")


def words() -> list[Row]:
    """The log of a clinic with words of its own: used, ignored by a version, lost, and gone with the clinic."""
    return log_of("words")


LOGS: dict[str, Callable[[], list[Row]]] = {
    "every_event": every_event,
    "clinic": clinic,
    "reach": reach,
    "settings": settings,
    "auto_sync": auto_sync,
    "rollout": rollout,
    "pins": pins,
    "windows": windows,
    "drift": drift,
    "words": words,
}
STATE_EVERY_EVENTS = 10


@pytest.mark.parametrize("page", [1, 7, 100_000])
@pytest.mark.parametrize("name", LOGS)
async def test_a_golden_log_is_loaded_folded_and_published_as_pinned(
    tool_sync_db: DatabaseUrls, pool: db.Pool, name: str, page: int
) -> None:
    rows = LOGS[name]()
    await restore(tool_sync_db.admin, rows, page=page)
    (org_id,) = {UUID(row["org_id"]) for row in rows if row["org_id"]}
    made = {
        "states": await _states(pool, org_id),
        "tables": {table: await _table(pool, table) for table in PROJECTIONS},
        "published": await _published(pool),
    }
    if told := await _published(pool, FLEET):
        made["told"] = told
    assert_result(name, made)


@pytest.mark.parametrize("name", ["clinic", "settings", "rollout", "pins", "windows", "drift", "words"])
@pytest.mark.parametrize("table", PROJECTIONS)
async def test_a_projection_that_is_folded_anew_finds_the_same_rows(
    tool_sync_db: DatabaseUrls, table: str, name: str
) -> None:
    await restore(tool_sync_db.admin, log_of(name), page=1)
    found = await verify(tool_sync_db.owner, table)
    assert (found.holds, found.position) == (True, len(log_of(name)))


@pytest.mark.parametrize("name", ["clinic", "settings", "rollout", "pins", "windows", "drift", "words"])
async def test_the_hashes_that_were_stored_still_hold(tool_sync_db: DatabaseUrls, pool: db.Pool, name: str) -> None:
    await restore(tool_sync_db.admin, log_of(name), page=100_000)
    async with pool.acquire() as connection:
        verified = await verify_log(connection, lambda done, of: None)
    assert (verified.head, verified.findings) == (len(log_of(name)), ())


async def _states(pool: db.Pool, org_id: UUID) -> Any:
    """By position, on the way and at the end; each is read back the same from a snapshot."""
    orgs, of_no_org = await EventLog(pool).load([org_id], fold=FOLD, fleet_after=0)
    loaded = orgs[org_id]
    assert isinstance(loaded, Loaded), loaded
    assert not isinstance(of_no_org, UnknownEvent), of_no_org
    fleet = with_events(empty_fleet(), of_no_org)
    ends = [*range(STATE_EVERY_EVENTS, len(loaded.events), STATE_EVERY_EVENTS), len(loaded.events)]
    states = {}
    for end in ends:
        part = replace(loaded, events=loaded.events[:end])
        state = fold(part, fleet, org_id=org_id, snapshot_after_events=1).state
        assert TOOLSET.validate_json(TOOLSET.dump_json(state)) == state
        document = TOOLSET.dump_python(state, mode="json", exclude_defaults=True)
        states[str(state.position)] = {
            key: sorted(value) if key == "disabled" else value for key, value in document.items()
        }
    return states


async def _table(pool: db.Pool, table: str) -> Any:
    rows = await pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")  # noqa: S608
    return [to_jsonable_python(dict(row)) for row in rows]


async def _published(pool: db.Pool, published: PublishedTopic = OUTCOMES) -> Any:
    wanted = Filter.of(published=published)
    page = await next_page(pool, after=0, limit=10_000, scan_max=10_000, wanted=wanted)
    made = []
    for one in page.events:
        record = to_record(
            one.message, id=one.event_id, time=one.recorded_at, log_id=LOG_ID, traceparent=one.traceparent
        )
        headers = {name: value.decode() for name, value in record.headers}
        made.append({"position": one.position, "key": record.key.decode(), "headers": headers,
                     "value": record.value.decode()})  # fmt: skip
    return made
