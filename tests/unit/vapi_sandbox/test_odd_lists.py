"""Lists at their worst: another order, a lag for each object, objects that no client can read, a clock that is off."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from .caller import Caller, Time


async def tools(vapi: Caller, time: Time, count: int) -> list[str]:
    """Make tools one second apart; oldest first."""
    ids = []
    for _ in range(count):
        ids.append((await vapi.tool())["id"])
        time.pass_(1)
    return ids


@pytest.mark.parametrize(
    "query", [{}, {"updatedAtGe": "2020-01-01T00:00:00Z"}, {"createdAtGe": "2020-01-01T00:00:00Z"}]
)
async def test_lists_are_newest_first_or_oldest_first(vapi: Caller, time: Time, query: dict[str, str]) -> None:
    ids = await tools(vapi, time, 5)
    assert await vapi.listed(limit=3, **query) == ids[:1:-1]
    await vapi.turn(list_order="oldest")
    assert await vapi.listed(limit=3, **query) == ids[:3]
    await vapi.http.post("/__sandbox/reset", json={"only": ["dials"]})
    assert await vapi.listed(**query) == ids[::-1]


async def test_a_random_order_shows_any_part_of_the_window_and_repeats_with_its_seed(vapi: Caller, time: Time) -> None:
    ids = await tools(vapi, time, 20)
    await vapi.turn(list_order="random", seed=3)
    seen = [await vapi.listed(limit=5) for _ in range(3)]
    assert sorted(await vapi.listed()) == sorted(ids)
    assert len({tuple(page) for page in seen}) == 3
    await vapi.turn(list_order="random", seed=3)
    assert [await vapi.listed(limit=5) for _ in range(3)] == seen
    await vapi.http.post("/__sandbox/reset", json={"only": ["dials"]})
    await vapi.http.patch("/__sandbox/dials", json={"list_order": "random", "seed": 3})
    assert [await vapi.listed(limit=5) for _ in range(3)] == seen
    await vapi.turn(list_order="random", seed=4)
    assert [await vapi.listed(limit=5) for _ in range(3)] != seen


async def test_shuffled_lists_leave_the_dice_of_rules_alone(vapi: Caller) -> None:
    async def fates(lists: int) -> list[int]:
        rule = {"route": "POST /tool", "probability": 0.5, "action": {"kind": "status", "status": 503}}
        await vapi.turn(seed=9, list_order="random", rules=[rule])
        statuses = []
        for _ in range(10):
            for _ in range(lists):
                await vapi.listed()
            statuses.append((await vapi.http.post("/tool", json={"type": "endCall"})).status_code)
        return statuses

    assert await fates(0) == await fates(3)


async def test_each_object_lags_by_its_own_time(vapi: Caller, time: Time) -> None:
    await vapi.turn(list_lag_each={"share": 0.5, "lag_ms_max": 10_000}, seed=1)
    ids = [(await vapi.tool())["id"] for _ in range(40)]
    at_once = await vapi.listed()
    assert 5 < len(at_once) < 35, "a share of them shows at once"
    time.pass_(5)
    later = await vapi.listed()
    assert len(at_once) < len(later) < 40, "some of the others show by and by"
    assert set(at_once) < set(later)
    time.pass_(5)
    assert set(await vapi.listed()) == set(ids)


async def test_a_newer_object_may_show_before_an_older_one(vapi: Caller, time: Time) -> None:
    await vapi.turn(list_lag_each={"lag_ms_max": 60_000})
    ids = await tools(vapi, time, 30)
    shown = [number for number, id_ in enumerate(ids) if id_ in await vapi.listed()]
    missing = [number for number in range(30) if number not in shown]
    assert missing, shown
    assert min(missing) < max(shown)


async def test_both_lags_hold_and_the_longer_one_counts(vapi: Caller, time: Time) -> None:
    await vapi.turn(list_lag_ms=8000, list_lag_each={"share": 1, "lag_ms_max": 4000})
    made = (await vapi.tool())["id"]
    time.pass_(7.9)
    assert await vapi.listed() == []
    time.pass_(0.2)
    assert await vapi.listed() == [made]


@pytest.mark.parametrize(
    "thing",
    [{"name": "no id"}, {"id": 7}, {"id": "x", "createdAt": "yesterday"}, {"id": None}, None, [], "text", 5, {}],
)
async def test_a_list_shows_an_object_that_no_client_can_read(vapi: Caller, thing: Any) -> None:
    made = await vapi.tool()
    await vapi.turn(planted=[{"kind": "tool", "object": thing}])
    assert (await vapi.http.get("/tool")).json() == [thing, made]
    assert (await vapi.http.get("/tool", params={"limit": 1})).json() == [thing]
    assert (await vapi.http.get("/tool", params={"limit": 0})).json() == []
    assert (await vapi.http.get("/assistant")).json() == []
    await vapi.http.post("/__sandbox/reset", json={"only": ["dials"]})
    assert (await vapi.http.get("/tool")).json() == [made]


async def test_a_planted_object_may_have_an_org_and_a_time(vapi: Caller, foreigner: Caller) -> None:
    planted = {"kind": "assistant", "object": {"createdAt": "?"}, "created_at": "2026-01-02T00:00:00Z"}
    await vapi.turn(planted=[{**planted, "vapi_org": "5a4db0c5-0000-4000-8000-000000000001"}])
    assert (await foreigner.http.get("/assistant")).json() == []
    for query, count in (
        ({}, 1),
        ({"createdAtGe": "2026-01-02T00:00:00Z"}, 1),
        ({"createdAtGt": "2026-01-02T00:00:00Z"}, 0),
        ({"createdAtLt": "2026-01-02T00:00:00Z"}, 0),
    ):
        assert len((await vapi.http.get("/assistant", params=query)).json()) == count, query


@pytest.mark.parametrize("skew_ms", [-90_000, 90_000, 1000])
async def test_the_clock_is_off_by_the_dial(vapi: Caller, time: Time, skew_ms: int) -> None:
    before = await vapi.tool()
    await vapi.turn(clock_skew_ms=skew_ms)
    answer = await vapi.http.post("/tool", json={"type": "endCall"})
    made = answer.json()
    assert _seconds(made["createdAt"]) - _seconds(before["createdAt"]) == skew_ms / 1000
    assert parsedate_to_datetime(answer.headers["date"]).timestamp() == (time.seconds + skew_ms / 1000) // 1
    assert made["id"] in await vapi.listed(createdAtGe=made["createdAt"])
    journal = (await vapi.journal())[-1]
    assert _seconds(journal["at"]) == time.seconds, "the journal has the real time"
    await vapi.turn()
    assert (await vapi.tool())["createdAt"] == before["createdAt"]


@pytest.mark.parametrize(
    "dials",
    [
        {"list_order": "alphabetical"},
        {"clock_skew_ms": 86_400_001},
        {"clock_skew_ms": "late"},
        {"list_lag_each": {"share": 1.5, "lag_ms_max": 1}},
        {"list_lag_each": {"lag_ms_max": 60_001}},
        {"list_lag_each": {}},
        {"planted": [{"kind": "squad", "object": 1}]},
        {"planted": [{"kind": "tool", "object": 1, "created_at": "soon"}]},
        {"same_name": "newest"},
        {"without_traffic_splits": "*"},
    ],
)
async def test_a_dial_that_makes_no_sense_is_refused(vapi: Caller, dials: dict[str, Any]) -> None:
    for method in ("PUT", "PATCH"):
        assert (await vapi.http.request(method, "/__sandbox/dials", json=dials)).status_code == 400


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
