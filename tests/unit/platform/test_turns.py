"""Places by turns: by example, and for any crowd that comes, gives up and goes."""

import asyncio
from collections import Counter
from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerotouch_platform.turns import NoTurn, Turns, owner_now

SECONDS = 5.0


class Crowd:
    """Tasks that want a place of ``turns``; ``served`` has their owners in the order in which they got one."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.served: list[Hashable] = []
        self.most: Counter[Hashable] = Counter()
        self._now: Counter[Hashable] = Counter()

    def wants(self, owner: Hashable, rounds: int = 1) -> "asyncio.Task[None]":
        """One more of ``owner``'s, who holds a place for so many rounds of the loop."""
        return asyncio.create_task(self._hold(owner, rounds))

    async def _hold(self, owner: Hashable, rounds: int) -> None:
        owner_now.set(owner)
        async with self._turns.place(SECONDS):
            self.served.append(owner)
            self._now[owner] += 1
            self.most[owner] = max(self.most[owner], self._now[owner])
            self.most["all"] = max(self.most["all"], self._now.total())
            try:
                for _ in range(rounds):
                    await asyncio.sleep(0)
            finally:
                self._now[owner] -= 1


async def test_a_newcomer_is_next_however_many_wait() -> None:
    crowd = Crowd(Turns(places=4, of_one_max=4))
    greedy = [crowd.wants("greedy", rounds=10) for _ in range(100)]
    await asyncio.sleep(0)
    await asyncio.gather(crowd.wants("neighbour"), *greedy)
    assert crowd.served.index("neighbour") <= 5, "of the first places that are given back, one of each owner"


async def test_one_owner_leaves_places_free_and_nobodys_work_may_have_all() -> None:
    crowd = Crowd(Turns(places=4, of_one_max=2))
    await asyncio.gather(*(crowd.wants("greedy") for _ in range(20)))
    assert crowd.most["greedy"] == 2
    await asyncio.gather(*(crowd.wants(None) for _ in range(20)))
    assert crowd.most[None] == 4


async def test_who_waits_too_long_is_told_and_takes_no_place_with_him() -> None:
    turns = Turns(places=1, of_one_max=1)
    async with turns.place(SECONDS):
        with pytest.raises(NoTurn):
            async with turns.place(0.01):
                raise AssertionError
    async with turns.place(SECONDS):
        pass


async def test_a_place_that_is_handed_to_one_who_has_just_gone_goes_on_to_the_next() -> None:
    turns = Turns(places=1, of_one_max=1)
    crowd = Crowd(turns)
    async with turns.place(SECONDS):
        gone, next_one = crowd.wants("gone"), crowd.wants("next")
        await asyncio.sleep(0)
    gone.cancel()  # its place is handed out, and it has not run since
    await next_one
    assert gone.cancelled()
    assert crowd.served == ["next"]


@given(st.lists(st.tuples(st.sampled_from([None, "a", "b", "c"]), st.integers(0, 3), st.booleans()), max_size=40))
def test_no_place_is_lost_or_made(crowd_of: list[tuple[str | None, int, bool]]) -> None:
    async def play() -> None:
        turns = Turns(places=3, of_one_max=2)
        crowd = Crowd(turns)
        tasks = []
        for owner, rounds, gives_up in crowd_of:
            tasks.append(crowd.wants(owner, rounds))
            await asyncio.sleep(0)
            if gives_up:
                tasks[len(tasks) // 2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert crowd.most["all"] <= 3
        assert all(crowd.most[owner] <= 2 for owner in "abc")
        await asyncio.gather(*(crowd.wants(None) for _ in range(3)))
        after = Crowd(turns)
        await asyncio.gather(*(after.wants(None, rounds=5) for _ in range(9)))
        assert after.most["all"] == 3

    asyncio.run(play())
