"""Lists: newest first, limits, eight date filters, lag."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vapi_sandbox.clock import Clock, iso_ms
from vapi_sandbox.records import build
from vapi_sandbox.store import Shelf, Window

from .caller import Caller, Time


async def _tools(vapi: Caller, time: Time, count: int) -> list[str]:
    """Make tools one second apart; oldest first."""
    ids = []
    for _ in range(count):
        ids.append((await vapi.tool())["id"])
        time.pass_(1)
    return ids


async def test_a_list_is_a_bare_array_newest_first_of_at_most_100(vapi: Caller, time: Time) -> None:
    ids = await _tools(vapi, time, 101)
    assert await vapi.listed() == ids[:0:-1]
    assert await vapi.listed(limit=1000) == ids[::-1]


async def test_equal_times_are_ordered_by_id(vapi: Caller) -> None:
    ids = [(await vapi.tool())["id"] for _ in range(5)]
    assert await vapi.listed() == sorted(ids, reverse=True)


@pytest.mark.parametrize(("limit", "count"), [("2", 2), ("2.0", 2), ("0", 0), ("1000", 3)])
async def test_limits(vapi: Caller, time: Time, limit: str, count: int) -> None:
    await _tools(vapi, time, 3)
    assert len(await vapi.listed(limit=limit)) == count


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"limit": "1001"}, "limit must not be greater than 1000"),
        ({"limit": "-1"}, "limit must not be less than 0"),
        ({"limit": "ten"}, "limit must be a number conforming to the specified constraints"),
        ({"limit": "1.5"}, "limit must be a number conforming to the specified constraints"),
        ({"limit": "nan"}, "limit must be a number conforming to the specified constraints"),
        ({"createdAtGe": "soon"}, "createdAtGe must be a valid ISO 8601 date string"),
        ({"name": "book"}, "property name should not exist"),
        ({"page": "2"}, "property page should not exist"),
    ],
)
async def test_a_query_that_the_api_does_not_have_is_400(vapi: Caller, query: dict[str, str], sentence: str) -> None:
    answer = await vapi.http.get("/assistant", params=query)
    assert answer.status_code == 400
    assert answer.json()["message"] == [sentence]


@pytest.mark.parametrize("field", ["createdAt", "updatedAt"])
async def test_date_filters(vapi: Caller, time: Time, field: str) -> None:
    first, second, third = await _tools(vapi, time, 3)
    second_at = "2026-09-21T14:13:21.000Z"
    assert await vapi.listed(**{f"{field}Gt": second_at}) == [third]
    assert await vapi.listed(**{f"{field}Ge": second_at}) == [third, second]
    assert await vapi.listed(**{f"{field}Lt": second_at}) == [first]
    assert await vapi.listed(**{f"{field}Le": second_at}) == [second, first]
    assert await vapi.listed(**{f"{field}Ge": second_at, f"{field}Le": second_at}) == [second]
    # the same moment with an offset, and a bound between two milliseconds
    assert await vapi.listed(**{f"{field}Ge": "2026-09-21T16:13:21.000+02:00"}) == [third, second]
    assert await vapi.listed(**{f"{field}Ge": "2026-09-21T14:13:21.000001Z"}) == [third]
    assert await vapi.listed(**{f"{field}Lt": "2026-09-21T14:13:21.000001Z"}) == [second, first]


async def test_a_change_moves_a_tool_in_the_updated_window_only(vapi: Caller, time: Time) -> None:
    first, second = await _tools(vapi, time, 2)
    since = iso_ms(int(time.seconds * 1000))
    await vapi.http.patch(f"/tool/{first}", json={"async": True})
    assert await vapi.listed(updatedAtGe=since) == [first]
    assert await vapi.listed(createdAtGe=since) == []
    assert await vapi.listed() == [second, first]


async def test_a_list_holds_the_callers_own_org_only(vapi: Caller, foreigner: Caller) -> None:
    theirs = (await foreigner.tool())["id"]
    assert await vapi.listed() == []
    assert await foreigner.listed() == [theirs]


async def test_a_lagging_list_shows_the_state_of_a_while_ago(vapi: Caller, time: Time) -> None:
    kept, changed, deleted = await _tools(vapi, time, 3)
    time.pass_(10)
    await vapi.turn(list_lag_ms=5000)
    fresh = (await vapi.tool())["id"]
    await vapi.http.patch(f"/tool/{changed}", json={"async": True})
    await vapi.http.patch(f"/tool/{changed}", json={"async": False, "messages": []})
    await vapi.http.delete(f"/tool/{deleted}")
    time.pass_(4.9)
    seen = (await vapi.http.get("/tool")).json()
    assert [tool["id"] for tool in seen] == [deleted, changed, kept]
    assert [tool["latestVersion"] for tool in seen] == ["v1", "v1", "v1"]
    assert (await vapi.http.get(f"/tool/{fresh}")).status_code == 200, "only lists lag"
    time.pass_(0.2)
    assert await vapi.listed() == [fresh, changed, kept]


async def test_a_clock_that_steps_back_makes_nothing_older(vapi: Caller, time: Time) -> None:
    before = await vapi.tool()
    time.pass_(-60)
    after = await vapi.tool()
    assert after["createdAt"] == before["createdAt"]


_MOMENTS = st.integers(0, 12)
_STEPS = st.lists(st.tuples(st.sampled_from(["put", "change", "remove"]), st.integers(0, 7), _MOMENTS), max_size=40)
_WINDOWS = st.builds(Window, _MOMENTS, _MOMENTS | st.just(1 << 62), _MOMENTS, _MOMENTS | st.just(1 << 62))


@given(_STEPS, _WINDOWS, st.integers(0, 10))
def test_a_shelf_lists_what_a_plain_filter_would(steps: list[tuple[str, int, int]], window: Window, limit: int) -> None:
    shelf = Shelf(Clock(), "tool")
    plain: dict[str, tuple[int, int]] = {}
    for verb, number, moment in steps:
        name = f"id-{number}"
        if (verb == "put" and name not in plain) or (verb == "change" and name in plain):
            created = plain[name][0] if name in plain else moment
            plain[name] = (created, moment)
            shelf.put(build("tool", name, "org", {}, created_ms=created, updated_ms=moment, version=1))
        elif verb == "remove" and name in plain:
            del plain[name]
            stored = shelf.get(name)
            assert stored is not None
            shelf.remove(stored)
    newest_first = sorted(plain.items(), key=lambda item: (item[1][0], item[0]), reverse=True)
    expected = [
        name
        for name, (created, updated) in newest_first
        if window.created_from <= created < window.created_until
        and window.updated_from <= updated < window.updated_until
    ]
    assert [resource.id for resource in shelf.select(window, limit)] == expected[:limit]
    assert len(shelf) == len(plain)


async def test_both_kinds_have_the_same_lists(vapi: Caller) -> None:
    made = [(await vapi.assistant())["id"] for _ in range(2)]
    assert sorted(await vapi.listed("/assistant")) == sorted(made)
    assert await vapi.listed("/assistant", createdAtGt="2099-01-01T00:00:00Z") == []
