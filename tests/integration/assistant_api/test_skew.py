"""Vapi's clock is not ours: a lost assistant is found all the same, and an operator is told."""

import pytest
from tests.support.eventually import eventually

from .harness import Harness
from .test_sweep import _swept

LOST = {"route": "POST /assistant", "times": 1, "action": {"kind": "reset", "commit": True}}
MINUTES = [25, -25, 23 * 60, -23 * 60]


async def has_told_its_time(hasty: Harness, skew_ms: int) -> None:
    """Vapi has answered something with this skew."""
    await hasty.vapi.dial(clock_skew_ms=skew_ms)
    await hasty.agent(await hasty.organization(), id="other")
    await hasty.provisioned("other")


@pytest.mark.parametrize("minutes", MINUTES)
@pytest.mark.parametrize("told", [True, False], ids=["Vapi has told its time", "Vapi has told nothing yet"])
async def test_a_lost_assistant_is_found_whatever_vapis_clock_says(hasty: Harness, minutes: int, told: bool) -> None:
    org_id, skew_ms = await hasty.organization(), minutes * 60_000
    if told:
        await has_told_its_time(hasty, skew_ms)
    await hasty.vapi.dial(clock_skew_ms=skew_ms, rules=[LOST])

    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)
    await hasty.provisioned("a")

    assert len(await hasty.vapi.assistants()) == 1 + told


@pytest.mark.parametrize("minutes", [25, -25])
async def test_what_a_lost_creation_made_goes_with_its_agent_whatever_vapis_clock_says(
    hasty: Harness, minutes: int
) -> None:
    org_id, skew_ms = await hasty.organization(), minutes * 60_000
    await has_told_its_time(hasty, skew_ms)
    await hasty.vapi.dial(clock_skew_ms=skew_ms, rules=[LOST])
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)

    assert (await hasty.delete("/api/agents/a", org_id)).status_code < 300
    await hasty.removed()

    assert len(await hasty.vapi.assistants()) == 1


@pytest.mark.parametrize("minutes", [25, -25])
async def test_what_came_too_late_is_swept_whatever_vapis_clock_says(hasty: Harness, minutes: int) -> None:
    org_id, skew_ms = await hasty.organization(), minutes * 60_000
    await has_told_its_time(hasty, skew_ms)
    twice = {**LOST, "times": 2}
    await hasty.vapi.dial(clock_skew_ms=skew_ms, rules=[twice], list_lag_ms=1300)  # more than the settle time
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)
    row = await hasty.provisioned("a")

    await _swept(hasty)

    await hasty.vapi.dial()
    assert row["vapi_assistant_id"] in {item["id"] for item in await hasty.vapi.assistants()}
    assert len(await hasty.vapi.assistants()) == 2


async def test_readiness_tells_of_a_clock_that_differs_and_stays_ready(hasty: Harness) -> None:
    await has_told_its_time(hasty, 1_500_000)
    await hasty.service.clock_watch.run_once()

    ready = (await hasty.http.get("/readyz")).json()
    note = ready["notes"]["vapiClock"]
    assert abs(note["skewSeconds"] - 1500) < 2
    assert "ahead of the database's" in note["meaning"]
    assert set(ready["reasons"]) == {"kafka", "relay", "outcomes"}, "the clock makes no part unready"

    await has_told_its_time_again(hasty)
    await hasty.service.clock_watch.run_once()

    async def says_nothing_of_it() -> bool:
        return "notes" not in (await hasty.http.get("/readyz")).json()

    await eventually(says_nothing_of_it, within_seconds=3)  # an answer stands for a second


async def has_told_its_time_again(hasty: Harness) -> None:
    await hasty.vapi.dial()
    await hasty.agent(await hasty.organization(), id="another")
    await hasty.provisioned("another")
