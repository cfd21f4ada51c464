"""A walk through a list: windows that stay, whatever the order of the list, and however it grows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from tool_sync.vapi.walk import BEGINNING, Bound, Walk, after_page
from zerotouch_platform.vapi.paging import Window, vapi_time

LIMIT = 10
START = datetime(2026, 1, 1, tzinfo=UTC)

Objects = list[dict[str, Any]]
Order = Callable[[Objects], Objects]
ORDERS: dict[str, Order] = {
    "newest first": lambda found: found[::-1],
    "oldest first": lambda found: found,
    "no order": lambda found: Random(len(found)).sample(found, len(found)),
}


def objects(count: int, since: int = 0) -> Objects:
    return [
        {"id": f"id-{n}", "createdAt": vapi_time(START + timedelta(seconds=n))} for n in range(since, since + count)
    ]


def page(there: Objects, window: Window, order: Order) -> Objects:
    inside = [one for one in there if window.holds(datetime.fromisoformat(one["createdAt"]))]
    return order(inside)[:LIMIT]


def walked(walk: Walk, there: Objects, order: Order) -> tuple[Walk, set[str], int]:
    """One walk to its end: the walk after it, what it showed, and its calls."""
    shown: set[str] = set()
    for calls in range(1, 1000):
        answered = page(there, walk.window, order)
        shown |= {one["id"] for one in answered}
        walk = after_page(walk, answered, LIMIT)
        if walk.finished:
            return walk, shown, calls
    raise AssertionError("it never ends")


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_every_walk_shows_everything_and_the_next_takes_a_call_for_each_page(order: Order) -> None:
    there = objects(95)
    walk, shown, _ = walked(Walk(), there, order)
    assert len(shown) == 95
    walk, shown, calls = walked(walk, there, order)
    assert len(shown) == 95
    assert calls <= 2 * 95 / LIMIT
    assert all(older.begins_at is None or older.begins_at < newer.begins_at for older, newer in pairwise(walk.bounds)  # type: ignore[operator]
               )  # fmt: skip


def test_in_the_order_that_vapi_has_a_walk_takes_hardly_more_calls_than_there_are_pages() -> None:
    there = objects(900)
    walk, _, _ = walked(Walk(), there, ORDERS["newest first"])
    _, _, calls = walked(walk, there, ORDERS["newest first"])
    assert calls <= 1.2 * 900 / LIMIT


def test_what_is_made_later_is_in_the_next_walk() -> None:
    order = ORDERS["newest first"]
    walk, _, _ = walked(Walk(), objects(20), order)
    _, shown, _ = walked(walk, objects(60), order)
    assert len(shown) == 60


def test_windows_that_were_emptied_become_one_again() -> None:
    order = ORDERS["newest first"]
    walk, _, _ = walked(Walk(), objects(200), order)
    assert len(walk.bounds) >= 20
    for _ in range(3):
        walk, shown, calls = walked(walk, objects(9, since=190), order)
    assert len(shown) == 9
    assert (len(walk.bounds), calls) == (2, 2)


def test_a_full_page_that_cannot_be_cut_is_passed_over() -> None:
    same = [{"id": f"id-{n}", "createdAt": vapi_time(START)} for n in range(LIMIT)]
    bounds = (*BEGINNING, Bound(START, 0), Bound(START + timedelta(milliseconds=1), 0))
    assert after_page(Walk(bounds, 1), same, LIMIT).at == 2
