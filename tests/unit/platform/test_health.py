"""What is said of a process: what its parts tell, what checks find, and what there is to note."""

import asyncio

import pytest
from structlog.testing import capture_logs

from zerotouch_platform.health import Check, Health


def a_health() -> Health:
    """Of a process that has started, with two parts that tell."""
    return Health(check_seconds_max=1, starting=None, told={"kafka": "not connected yet", "relay": None})


def answering(problem: str | None) -> Check:
    async def check() -> str | None:
        return problem

    return check


async def test_what_parts_tell_is_shown_and_each_change_is_logged_once() -> None:
    health = a_health()
    with capture_logs() as logs:
        health.fails("kafka", "not connected yet")
        health.fails("relay", "no answer")
        health.fails("relay", "no answer")
        assert await health.ready_problems() == {"kafka": "not connected yet", "relay": "no answer"}
        health.works("kafka")
        health.works("kafka")
    assert health.reasons() == {"relay": "no answer"}
    assert [(line["event"], line["part"]) for line in logs] == [("part_not_ready", "relay"), ("part_ready", "kafka")]


async def test_a_part_that_tells_its_trouble_is_not_looked_at_as_well() -> None:
    health = a_health()
    health.ready = {"kafka": answering("looked at"), "database": answering("away")}
    assert await health.ready_problems() == {"kafka": "not connected yet", "database": "away"}
    health.works("kafka")
    assert await health.ready_problems() == {"kafka": "looked at", "database": "away"}


async def test_a_live_process_may_well_have_parts_that_do_not_work() -> None:
    health = a_health()
    assert await health.live_problems() == {}
    health.live["log"] = answering("replaced")
    assert await health.live_problems() == {"log": "replaced"}
    assert "log" in await health.ready_problems()


async def test_a_note_with_nothing_to_say_is_left_out() -> None:
    async def nothing() -> object:
        return []

    async def something() -> object:
        return {"seconds": 3}

    health = a_health()
    health.notes = {"records_lost": nothing, "vapi_key": something}
    assert await health.ready_notes() == {"vapi_key": {"seconds": 3}}


async def test_whoever_asks_often_makes_the_checks_once_a_while() -> None:
    asked = 0

    async def counting() -> str | None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return f"problem {asked}"

    health = Health(check_seconds_max=1, starting=None, ready={"database": counting}, cached_seconds=0.1)
    answers = await asyncio.gather(*(health.ready_problems() for _ in range(50)))
    assert answers == [{"database": "problem 1"}] * 50

    await asyncio.sleep(0.11)  # the time itself is what is tested
    assert await health.ready_problems() == {"database": "problem 2"}


async def test_a_check_that_fails_for_a_fault_of_ours_is_no_answer_for_others() -> None:
    async def broken() -> str | None:
        raise ZeroDivisionError

    health = Health(check_seconds_max=1, starting=None, ready={"database": broken}, cached_seconds=10)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await health.ready_problems()


async def test_whether_a_process_lives_is_said_without_a_turn_of_the_loop() -> None:
    """Where a loop is busy each turn is long, and whoever asks would wait for several."""
    health = Health(check_seconds_max=1, starting=None, live={"log": answering(None), "intake": answering("wedged")})
    said = health.live_problems()
    with pytest.raises(StopIteration) as ended:
        said.send(None)
    assert ended.value.value == {"intake": "wedged"}
