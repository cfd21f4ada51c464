"""What the processes of assistant-api announce, and the reader's rule of which ones live."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jsonschema
import pytest

from zerotouch_contracts.answering import (
    ANNOUNCE_SECONDS,
    DEAD_AFTER,
    AnsweredTool,
    ContractsAnnounced,
    announcement,
    announcement_record,
    answered_by_all,
    key_of,
    pairs_of,
    read_announcement,
)
from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_contracts.schemas import schema_of
from zerotouch_contracts.tools import ANSWERED

from .golden_files import golden

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
GOLDEN = golden("ContractsAnnounced")


def said(contracts: dict[str, tuple[int, ...]], seconds_ago: float = 0.0) -> ContractsAnnounced:
    tools = tuple(AnsweredTool(name=name, contracts=numbers) for name, numbers in contracts.items())
    return ContractsAnnounced(replica=uuid4(), tools=tools, at=NOW - timedelta(seconds=seconds_ago))


def test_a_release_announces_every_contract_that_it_answers_and_nothing_else() -> None:
    assert pairs_of(announcement(uuid4(), NOW)) == {(d.name, d.contract) for d in ANSWERED}


def test_what_every_live_replica_answers_counts() -> None:
    older, newer = said({"book": (1,), "gone": (1,)}), said({"book": (1, 2), "cancel": (1,)})
    assert answered_by_all([older, newer], NOW) == {("book", 1)}


def test_where_none_lives_nothing_is_answered() -> None:
    assert answered_by_all([], NOW) == frozenset()
    assert answered_by_all([said({"book": (1,)}, seconds_ago=61)], NOW) == frozenset()


def test_a_live_replica_that_answers_nothing_leaves_nothing() -> None:
    assert answered_by_all([said({}), said({"book": (1,)})], NOW) == frozenset()


@pytest.mark.parametrize(("seconds_ago", "lives"), [(0, True), (-5, True), (59.9, True), (60, False), (3600, False)])
def test_a_replica_is_dead_a_minute_after_it_was_last_heard(seconds_ago: float, lives: bool) -> None:
    quiet, fresh = said({"book": (1,)}, seconds_ago), said({"book": (1, 2)})
    expected = {("book", 1)} if lives else {("book", 1), ("book", 2)}
    assert answered_by_all([quiet, fresh], NOW) == expected


def test_three_announcements_in_a_row_may_be_lost() -> None:
    assert timedelta(seconds=4 * ANNOUNCE_SECONDS) <= DEAD_AFTER


def test_the_example_is_read_and_is_sent_again_byte_for_byte() -> None:
    message = read_announcement(GOLDEN.key, GOLDEN.value, GOLDEN.headers)
    assert isinstance(message, ContractsAnnounced)
    assert pairs_of(message) == {(name, n) for name in ("bookClinicAppointment", "cancelAppointment") for n in (1, 2)}
    again = announcement_record(message, id=UUID(dict(GOLDEN.headers)["ce_id"].decode()))
    assert (again.topic, again.key, again.value) == (GOLDEN.topic, GOLDEN.key, GOLDEN.value)
    assert again.headers == GOLDEN.headers
    jsonschema.validate(json.loads(GOLDEN.value), schema_of(ContractsAnnounced))


def test_a_goodbye_names_the_replica() -> None:
    replica = uuid4()
    assert read_announcement(key_of(replica), None, ()) == replica


def test_fields_of_a_newer_schema_are_ignored() -> None:
    newer = GOLDEN.with_body(region="eu")
    assert read_announcement(newer.key, newer.value, newer.headers) == read_announcement(
        GOLDEN.key, GOLDEN.value, GOLDEN.headers
    )


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (None, None, ()),
        (b"\xff", None, ()),
        (b"not-a-replica", None, ()),
        (str(uuid4()).encode(), GOLDEN.value, GOLDEN.headers),
        (GOLDEN.key, GOLDEN.value, ()),
        (GOLDEN.key, GOLDEN.value, GOLDEN.with_header("ce_type", b"zerotouch.ToolsSynced.v1")),
        (GOLDEN.key, b"{", GOLDEN.headers),
        (GOLDEN.key, b"\xff", GOLDEN.headers),
        (GOLDEN.key, GOLDEN.with_body(at="noon").value, GOLDEN.headers),
        (GOLDEN.key, GOLDEN.with_body(at="2026-11-29T12:00:00").value, GOLDEN.headers),
        (GOLDEN.key, GOLDEN.with_body(tools=[{"name": "x", "contracts": [0]}]).value, GOLDEN.headers),
        (GOLDEN.key, GOLDEN.with_body(tools=[{"name": "x", "contracts": []}]).value, GOLDEN.headers),
    ],
)
def test_whatever_else_lies_there_may_be_passed_over(key: bytes | None, value: bytes | None, headers: Any) -> None:
    with pytest.raises(UndecodableRecord):
        read_announcement(key, value, headers)
