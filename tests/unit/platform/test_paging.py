"""A list is read whole whatever the order of its pages, and while it changes."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotouch_platform.vapi.paging import ListUnreadable, PageTooLarge, Window, pages, vapi_time

T0 = datetime(2026, 1, 1, tzinfo=UTC)
Item = dict[str, Any]
ORDERS = ("newest", "oldest", "by id", "shuffled anew")


def at(milliseconds: int) -> str:
    return vapi_time(T0 + timedelta(milliseconds=milliseconds))


@dataclass
class Server:
    """Lists as Vapi has them: filtered by ``createdAt``, cut at ``limit``, in an order of its own."""

    items: list[Any]
    order: str = "newest"
    bytes_max: int = 10**9
    after_call: Callable[[int], None] = lambda _: None
    calls: list[Mapping[str, str]] = field(default_factory=list)

    async def ask(self, query: Mapping[str, str]) -> list[object]:
        self.calls.append(query)
        low, high = query.get("createdAtGe", ""), query.get("createdAtLt", "~")
        found = [item for item in self.items if not isinstance(item, dict) or low <= item.get("createdAt", low) < high]
        match self.order:
            case "newest":
                found.sort(key=_time, reverse=True)
            case "oldest":
                found.sort(key=_time)
            case "by id":
                found.sort(key=str)
            case "shuffled anew":
                random.Random(len(self.calls)).shuffle(found)
        page = found[: int(query["limit"])]
        if len(page) > self.bytes_max:
            raise PageTooLarge
        self.after_call(len(self.calls))
        return page


def _time(item: Any) -> str:
    return str(item.get("createdAt", "")) if isinstance(item, dict) else ""


async def listed(server: Server, limit: int, window: Window | None = None) -> list[str]:
    found = [item["id"] async for page in pages(server.ask, window or Window(), limit) for item in page.items]
    assert len(found) == len(set(found)), "told twice"
    return found


@pytest.mark.parametrize("order", ORDERS)
@given(
    times=st.lists(st.integers(0, 10**9) | st.integers(0, 40), max_size=120),
    limit=st.integers(2, 30),
    window=st.sampled_from([Window(), Window(T0), Window(T0, T0 + timedelta(days=30))]),
)
@settings(max_examples=40, deadline=None)
async def test_everything_is_listed_once_in_every_order(
    order: str, times: list[int], limit: int, window: Window
) -> None:
    kept = [time for time in times if times.count(time) < limit]
    server = Server([{"id": f"a-{n}", "createdAt": at(time)} for n, time in enumerate(kept)], order)

    assert sorted(await listed(server, limit, window)) == sorted(item["id"] for item in server.items)


@pytest.mark.parametrize(
    ("order", "pages_of_calls"), [("newest", 2), ("oldest", 2), ("by id", 5), ("shuffled anew", 5)]
)
async def test_calls_stay_about_two_for_a_page(order: str, pages_of_calls: int) -> None:
    server = Server([{"id": f"a-{n * 7919 % 2500:04}", "createdAt": at(n // 3)} for n in range(2500)], order)

    assert len(await listed(server, 250)) == 2500
    assert len(server.calls) <= pages_of_calls * 2500 // 247 + 2


async def test_an_account_of_600_whose_list_is_oldest_first_is_seen_whole() -> None:
    server = Server([{"id": f"a-{n}", "createdAt": at(n * 1000)} for n in range(600)], "oldest")

    assert len(await listed(server, 250)) == 600


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(20))
async def test_what_existed_throughout_is_not_missed_while_the_list_changes(order: str, seed: int) -> None:
    chance = random.Random(seed)
    items = [{"id": f"a-{n}", "createdAt": at(chance.randrange(5000))} for n in range(100)]
    passing = [{"id": f"p-{n}", "createdAt": at(chance.randrange(5000))} for n in range(100)]
    server = Server([*items, *passing[:50]], order)

    def change(_: int) -> None:
        for each in chance.sample(passing, 10):
            if each in server.items:
                server.items.remove(each)
            else:
                server.items.append(each)

    server.after_call = change

    assert {item["id"] for item in items} <= set(await listed(server, 20))


@pytest.mark.parametrize("order", ORDERS)
async def test_more_in_one_millisecond_than_a_page_holds_is_said_and_has_an_end(order: str) -> None:
    server = Server([{"id": f"a-{n}", "createdAt": at(5)} for n in range(10)], order)

    with pytest.raises(ListUnreadable, match="one millisecond"):
        await listed(server, 10)
    assert len(server.calls) < 10
    assert len(await listed(server, 11)) == 10


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("window", [Window(), Window(T0, T0 + timedelta(days=1))])
async def test_a_server_that_ignores_the_filter_has_an_end(order: str, window: Window) -> None:
    class Ignoring(Server):
        async def ask(self, query: Mapping[str, str]) -> list[object]:
            return await super().ask({"limit": query["limit"]})

    server = Ignoring([{"id": f"a-{n}", "createdAt": at(n)} for n in range(500)], order)

    with pytest.raises(ListUnreadable):
        await listed(server, 100, window)
    assert len(server.calls) <= 200


async def test_full_pages_without_any_time_are_cut_in_the_middle_or_said() -> None:
    class Shy(Server):
        async def ask(self, query: Mapping[str, str]) -> list[object]:
            return [{"id": item["id"]} for item in await super().ask(query)]  # type: ignore[index]

    items = [{"id": f"a-{n}", "createdAt": at(n * 1000)} for n in range(64)]

    assert len(await listed(Shy(items), 10, Window(T0, T0 + timedelta(seconds=64)))) == 64
    with pytest.raises(ListUnreadable, match="createdAt"):
        await listed(Shy(items), 10)


async def test_an_item_without_a_time_and_one_outside_of_the_window_are_told_like_any_other() -> None:
    stray: list[Any] = [{"id": "none"}, {"id": "bad", "createdAt": "!soon"}, {"id": "late", "createdAt": at(10**9)}]
    server = Server([{"id": f"a-{n}", "createdAt": at(n)} for n in range(30)])
    plain = server.ask

    async def ask(query: Mapping[str, str]) -> list[object]:
        return [*stray, *await plain({**query, "limit": str(int(query["limit"]) - 3)})]

    server.ask = ask  # type: ignore[method-assign]

    assert len(await listed(server, 15, Window(T0, T0 + timedelta(days=1)))) == 33


async def test_what_is_unreadable_is_told_apart_once_and_ends_nothing() -> None:
    strange: list[Any] = [None, 7, [], {"createdAt": at(3)}, {"id": "../x", "createdAt": at(4)}, {"id": 5}]
    server = Server([*strange, *({"id": f"a-{n}", "createdAt": at(n)} for n in range(40))], "oldest")

    found = [page async for page in pages(server.ask, Window(), 15)]

    assert len({item["id"] for page in found for item in page.items}) == 40
    assert sorted(map(repr, (item for page in found for item in page.unreadable))) == sorted(map(repr, strange))


@pytest.mark.parametrize("order", ORDERS)
async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(order: str) -> None:
    server = Server([{"id": f"a-{n}", "createdAt": at(n)} for n in range(100)], order, bytes_max=7)

    assert len(await listed(server, 50)) == 100

    server.bytes_max = 1
    with pytest.raises(ListUnreadable, match="too large"):
        await listed(server, 50)


def test_a_window_is_asked_for_in_whole_milliseconds() -> None:
    assert Window(T0).query(7) == {"limit": "7", "createdAtGe": "2026-01-01T00:00:00.000Z"}


async def test_a_window_between_two_milliseconds_is_widened() -> None:
    server = Server([{"id": "a", "createdAt": at(5)}])
    low, high = T0 + timedelta(microseconds=5400), T0 + timedelta(microseconds=5600)

    assert await listed(server, 10, Window(low, high)) == ["a"]
    assert server.calls == [{"limit": "10", "createdAtGe": at(5), "createdAtLt": at(6)}]
