"""What the sandbox heard, minute by minute: whether a key's rate was kept."""

from collections import Counter

import aiohttp

from benchmarks.world import World

PAGE = 10_000
MINUTE_CHARACTERS = 16
"""Of a time in ISO 8601."""


async def calls_by_minute(world: World, after: int) -> list[int]:
    """The calls of each minute of UTC, oldest first, of the requests after a sequence of the journal."""
    minutes: Counter[str] = Counter()
    place: int | None = after
    async with aiohttp.ClientSession(world.sandbox.url) as session:
        while place is not None:
            query = {"after": place, "limit": PAGE}
            async with session.get("/__sandbox/journal", params=query) as answer:
                page = await answer.json()
            minutes.update(entry["at"][:MINUTE_CHARACTERS] for entry in page["entries"])
            place = page["next_after"]
    return [minutes[minute] for minute in sorted(minutes)]
