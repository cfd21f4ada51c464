"""How many refusals become rows: so many a minute of each principal, of so many principals; all are counted."""

import pytest

from assistant_api.access_log.counting import PRINCIPALS_MAX, AccessCounter
from assistant_api.access_log.entry import Action, Entry, Who
from zerotouch_platform.meters import Meters

MINUTE = 60.0


def refused(principal: str, role: str = "org") -> Entry:
    return Entry(Who(principal, role), Action.AGENT_SYNC).refused("TS-903")  # type: ignore[arg-type]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [7 * MINUTE]
    monkeypatch.setattr("assistant_api.access_log.counting.time.monotonic", lambda: now[0])
    return now


def test_each_principal_has_so_many_rows_a_minute(clock: list[float]) -> None:
    counter = AccessCounter(Meters({"service.name": "x"}), 2)
    assert [counter.takes_row(refused("lee")) for _ in range(4)] == [True, True, False, False]
    assert counter.takes_row(refused("kim"))
    assert counter.takes_row(refused("lee", "platform"))
    clock[0] += MINUTE
    assert counter.takes_row(refused("lee"))


def test_more_principals_than_can_be_told_apart_get_no_rows(clock: list[float]) -> None:
    counter = AccessCounter(Meters({"service.name": "x"}), 2)
    taken = [counter.takes_row(refused(str(number))) for number in range(PRINCIPALS_MAX + 10)]
    assert taken.count(True) == PRINCIPALS_MAX
    assert counter.takes_row(refused("0"))


def test_what_is_counted_is_by_action_and_result() -> None:
    counter = AccessCounter(Meters({"service.name": "x"}), 2)
    counter.count("agent.sync", "refused")
    assert counter.counted == {("agent.sync", "refused"): 1}


def test_the_object_of_a_refused_request_stays_only_where_it_is_a_uuid() -> None:
    who, known = Who("lee", "org"), "0b7e3c1e-3a64-4b3e-9a55-5d4f0a6c9a10"
    assert Entry(who, Action.AGENT_CHANGE, None, known).refused("TS-904").object_id == known
    assert Entry(who, Action.AGENT_CHANGE, None, "4915112345678").refused("TS-904").object_id is None
    assert Entry(who, Action.AGENT_CHANGE, None, "Erika Example").failed("TS-999").object_id is None
