"""A list is read whole, whatever its order, and one odd object in it costs nothing but a count."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerotouch_platform.vapi.answers import TooLarge
from zerotouch_platform.vapi.paging import NoList, Window, created_at, listed, vapi_time

T0 = datetime(2026, 11, 24, tzinfo=UTC)
Order = Literal["newest", "oldest", "random"]
ORDERS: tuple[Order, ...] = ("newest", "oldest", "random")


class Account:
    """A server with objects at these milliseconds. ``bytes_max`` of a page: more objects than that are too large."""

    def __init__(self, at_ms: list[int], order: Order, *, odd: tuple[object, ...] = (), large: int = 10**9) -> None:
        self.items: list[Any] = [{"id": f"a-{n}", "createdAt": vapi_time(T0 + timedelta(milliseconds=ms))}
                                 for n, ms in enumerate(at_ms)]  # fmt: skip
        self.order, self.odd, self.large = order, odd, large
        self.requests = 0
        self.dice = random.Random(7)

    async def ask(self, query: dict[str, str]) -> object:
        self.requests += 1
        low, high = query.get("createdAtGe", ""), query.get("createdAtLt", "~")
        found = [item for item in self.items if low <= item["createdAt"] < high]
        if self.order == "random":
            self.dice.shuffle(found)
        else:
            found.sort(key=lambda item: item["createdAt"], reverse=self.order == "newest")
        page = [*self.odd, *found][: int(query["limit"])]
        if len(page) > self.large:
            raise TooLarge(1)
        return page


async def ids(account: Account, limit: int, window: Window = Window(), **more: Any) -> list[str]:  # noqa: B008
    return [item["id"] async for item in listed(account.ask, window, limit=limit, **more)]


@given(
    st.lists(st.integers(0, 60), max_size=60).filter(lambda ms: max(map(ms.count, ms), default=0) < 5),
    st.sampled_from(ORDERS),
    st.integers(5, 12),
)
async def test_every_object_is_found_once_in_every_order(at_ms: list[int], order: Order, limit: int) -> None:
    account = Account(at_ms, order)
    found = await ids(account, limit)
    assert sorted(found) == sorted(item["id"] for item in account.items)


@pytest.mark.parametrize("order", ORDERS)
async def test_it_costs_about_two_requests_a_page_and_four_without_any_order(order: Order) -> None:
    account = Account(list(range(10_000)), order)
    assert len(await ids(account, 250)) == 10_000
    assert account.requests <= (4 if order == "random" else 2) * 10_000 / 249 + 2


@pytest.mark.parametrize("order", ORDERS)
async def test_a_window_is_kept(order: Order) -> None:
    account = Account(list(range(600)), order)
    window = Window(T0 + timedelta(milliseconds=100), T0 + timedelta(milliseconds=400))
    assert sorted(await ids(account, 50, window)) == sorted(f"a-{n}" for n in range(100, 400))


async def test_what_cannot_be_read_is_given_away_and_fails_nothing() -> None:
    odd: list[object] = []
    account = Account(list(range(30)), "oldest", odd=(None, 7, {"name": "x"}, {"id": 7}, {"id": ""}, []))
    found = await ids(account, 20, on_unreadable=odd.append)
    assert sorted(found) == sorted(f"a-{n}" for n in range(30))
    assert {"name": "x"} in odd


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones() -> None:
    account = Account(list(range(100)), "newest", large=10)
    assert len(await ids(account, 250)) == 100
    with pytest.raises(TooLarge):
        await ids(Account([1, 2], "newest", large=0), 250)


@pytest.mark.parametrize("order", ORDERS)
async def test_more_of_one_time_than_a_page_holds_is_an_error_and_no_end(order: Order) -> None:
    with pytest.raises(NoList):
        await ids(Account([5] * 10 + [1, 9], order), 10)


async def test_a_server_that_keeps_to_no_window_is_an_error_and_no_end() -> None:
    async def ignores(query: dict[str, str]) -> object:
        return [{"id": f"a-{n}", "createdAt": vapi_time(T0 + timedelta(seconds=n))} for n in range(10)]

    with pytest.raises(NoList):
        [item async for item in listed(ignores, Window(), limit=10)]


@pytest.mark.parametrize("body", [{"results": []}, None, "x", 7])
async def test_what_is_no_array_is_no_empty_list(body: object) -> None:
    async def ask(query: dict[str, str]) -> object:
        return body

    with pytest.raises(NoList):
        [item async for item in listed(ask, Window(), limit=10)]


async def test_what_is_made_and_deleted_meanwhile_hides_nothing_that_was_there_throughout() -> None:
    account = Account(list(range(500)), "newest")
    there = {item["id"] for item in account.items}
    found = set()
    gone: set[str] = set()
    async for item in listed(account.ask, Window(), limit=20):
        found.add(item["id"])
        if len(found) % 7 == 0:
            dropped = account.items.pop(account.dice.randrange(len(account.items)))
            gone.add(dropped["id"])
            at = T0 + timedelta(milliseconds=1000 + len(found))
            account.items.append({"id": f"new-{len(found)}", "createdAt": vapi_time(at)})
    assert there - gone <= found


@pytest.mark.parametrize("text", ["", None, 7, "yesterday", "2026-11-24T10:00:00", {}])
def test_a_time_that_is_none_is_none(text: object) -> None:
    assert created_at({"createdAt": text}) is None
    assert created_at(text) is None
