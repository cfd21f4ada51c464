"""As many exchanges at once as the process can serve in time."""

import asyncio

from tool_sync.reconciler.places import PLACES_FIRST, PLACES_MIN, Places


class Time:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def places(places_max: int, time: Time | None = None) -> Places:
    return Places(places_max, slow_seconds=0.4, monotonic=time or Time())


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_than_there_are_places_are_in_and_the_first_to_wait_is_the_first_let_in() -> None:
    two, inside, leave = places(2), list[int](), [asyncio.Event() for _ in range(4)]

    async def exchange(number: int) -> None:
        async with two:
            inside.append(number)
            await leave[number].wait()

    tasks = [asyncio.create_task(exchange(number)) for number in range(4)]
    await settled()
    assert inside == [0, 1]
    leave[1].set()
    await settled()
    assert inside == [0, 1, 2]
    for event in leave:
        event.set()
    await asyncio.gather(*tasks)
    assert inside == [0, 1, 2, 3]


async def test_whoever_is_cancelled_while_it_waits_takes_no_place() -> None:
    one = places(1)
    await one.__aenter__()
    waiting = [asyncio.create_task(one.__aenter__()) for _ in range(2)]
    await settled()
    waiting[0].cancel()
    await settled()

    await one.__aexit__(None, None, None)
    await asyncio.wait_for(waiting[1], 1)

    assert waiting[0].cancelled()


async def test_whoever_is_cancelled_at_the_moment_it_is_let_in_hands_its_place_on() -> None:
    one = places(1)
    await one.__aenter__()
    waiting = [asyncio.create_task(one.__aenter__()) for _ in range(2)]
    await settled()

    await one.__aexit__(None, None, None)
    waiting[0].cancel()
    await asyncio.wait_for(waiting[1], 1)

    assert waiting[0].cancelled()


async def test_quick_appends_add_places_up_to_the_maximum() -> None:
    many = places(PLACES_FIRST + 2)
    for _ in range(5):
        many.note(0.01)
    assert many.limit == PLACES_FIRST + 2


async def test_slow_appends_take_places_away_once_for_all_that_waited_together() -> None:
    time = Time()
    many = places(1000, time)
    for _ in range(50):
        many.note(0.6)
    assert many.limit == PLACES_FIRST * 3 // 4
    time.now = 0.5
    many.note(0.6)
    assert many.limit == PLACES_FIRST * 9 // 16


async def test_some_places_are_always_left() -> None:
    time = Time()
    many = places(1000, time)
    for step in range(100):
        time.now = float(step)
        many.note(5.0)
    assert many.limit == PLACES_MIN


async def test_a_new_place_lets_in_whoever_waits() -> None:
    time = Time()
    many = places(1000, time)
    for _ in range(many.limit):
        await many.__aenter__()
    waiting = asyncio.create_task(many.__aenter__())
    await settled()
    many.note(0.01)
    await asyncio.wait_for(waiting, 1)
