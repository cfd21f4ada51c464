"""Long batches leave turns to others."""

import asyncio

from zerotouch_platform.cooperative import ITEMS_AT_ONCE, yielding_every


async def _turns_of_others(items: int) -> int:
    others = 0

    async def count() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    assert [item async for item in yielding_every(ITEMS_AT_ONCE, range(items))] == list(range(items))
    counting.cancel()
    return others


def test_others_have_a_turn_after_each_part_and_none_within_one() -> None:
    assert asyncio.run(_turns_of_others(ITEMS_AT_ONCE)) == 0
    assert asyncio.run(_turns_of_others(4 * ITEMS_AT_ONCE)) == 3
