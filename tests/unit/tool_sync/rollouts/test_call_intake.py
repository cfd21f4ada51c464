"""Which records are calls that may count, and since when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tool_sync.domain.events import RolloutPaused, RolloutResumed, RolloutStage, RolloutStageOpened
from tool_sync.rollouts.call_intake import CLOCK_MARGIN, FAILED, WORKED, asking_orders, is_newer, read_call
from zerotouch_contracts.envelope import Record, to_record
from zerotouch_contracts.events import ToolCallHandled

from ..domain.fleets import EVERYBODY, fleet_of, published, started

ORG, ID = UUID(int=7), UUID("0198f0e4-5a10-7c60-8f00-3f1d2b6e7a10")
AT = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
ASKING = RolloutStage("1 %", 100, gate_calls=40)


def record(code: str = "booked", version: int | None = 2) -> Record:
    message = ToolCallHandled(org_id=ORG, tool="book", definition_version=version, code=code, duration_ms=3)
    return to_record(message, id=ID, time=AT, log_id=uuid4())


def read(said: Record, **headers: bytes) -> Any:
    found = [(name, value) for name, value in said.headers if name not in headers]
    return read_call(said.key, said.value, [*found, *headers.items()])


def test_a_call_is_read_with_its_time_and_its_message_s_id() -> None:
    message, at, message_id = read(record())
    assert (message.org_id, message.tool, message.code, at, message_id) == (ORG, "book", "booked", AT, ID)
    assert read(record("invalid_arguments", None))[0].code == "invalid_arguments"


def test_a_code_of_a_newer_release_says_neither_good_nor_bad() -> None:
    for code in ("insurance_missing", "unavailable"):
        assert read(record(code))[0].code == code, "it is counted for its clinic"
        assert code not in WORKED | FAILED


@pytest.mark.parametrize(
    "headers",
    [
        {"ce_source": b"/somebody/else"},
        {"ce_id": b"17"},
        {"ce_type": b"zerotouch.ToolCallHandled.v2"},
        {"ce_time": b"yesterday"},
        {"ce_orgid": str(UUID(int=8)).encode()},
        {"content-type": b"text/plain"},
    ],
)
def test_what_is_not_exactly_a_message_of_ours_is_passed_over(headers: dict[str, bytes]) -> None:
    assert read(record(), **headers) is None


@pytest.mark.parametrize("value", [None, b"", b"null", b"{}", b"\xff", b"[]", b'{"org_id": 1}'])
def test_a_broken_value_is_passed_over(value: bytes | None) -> None:
    assert read(replace(record(), value=value)) is None  # type: ignore[arg-type]


def test_another_clinic_s_key_is_passed_over() -> None:
    assert read(replace(record(), key=str(UUID(int=8)).encode())) is None


def test_calls_are_asked_for_by_the_newest_open_stage_of_an_order_that_runs() -> None:
    begun = started("r", stages=(RolloutStage("own", 1), ASKING, EVERYBODY))
    opened = RolloutStageOpened("r", "book", 1, "gate")
    assert asking_orders(fleet_of(published(), begun)) == {}
    assert list(asking_orders(fleet_of(published(), begun, opened))) == ["book"]
    paused = RolloutPaused("r", "book", "look")
    assert asking_orders(fleet_of(published(), begun, opened, paused)) == {}
    assert list(asking_orders(fleet_of(published(), begun, opened, paused, RolloutResumed("r", "book", "ok"))))
    assert asking_orders(fleet_of(published(), started("r", stages=(ASKING, EVERYBODY), version=None))) == {}
    assert asking_orders(fleet_of(published(), replace(started("r", stages=(ASKING,)), gated=True))) == {}


def test_only_calls_that_are_surely_newer_than_the_stage_and_not_of_the_future_count() -> None:
    (order,) = fleet_of(published(), started("r", stages=(ASKING,))).orders["book"]
    assert order.judged_from is not None
    first = order.judged_from + CLOCK_MARGIN
    now = first + timedelta(hours=1)
    step = timedelta(microseconds=1)
    times = (first - step, first, now + CLOCK_MARGIN, now + CLOCK_MARGIN + step)
    assert [is_newer(order, at, now) for at in times] == [False, True, True, False]
