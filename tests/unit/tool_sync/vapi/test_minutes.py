"""Bulk work within the key's minutes, in virtual time: never above the limit, nearly all of it, not at saves' cost."""

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tool_sync.vapi.rate_limit.port import CallLane
from tool_sync.vapi.rate_limit.tokens import Rate

from .minutes import START, Admitted, Ask, Rows, played, tokens_over

LATE, EARLY = 1.5, 0.5
ALLOWED = 720  # of 1,200 a minute


def rate(per_minute: int = ALLOWED, saves_share: float = 0.2) -> Rate:
    return Rate(per_minute, batch=20, saves_share=saves_share, late_seconds=LATE, early_seconds=EARLY)


def backlog(count: int, calls: int = 1) -> list[Ask]:
    """So many clinics that wait, taken up 250 a second."""
    return [Ask(n / 250, n, "bulk", calls) for n in range(count)]


def saves(per_second: float, until: float, random: Random) -> list[Ask]:
    """Saves of three calls each, whenever somebody presses save."""
    asks: list[Ask] = []
    second = random.expovariate(per_second)
    while second < until:
        asks.append(Ask(second, 1_000_000 + len(asks), "save", 3))
        second += random.expovariate(per_second)
    return asks


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("calls", [1, 2])
async def test_bulk_work_alone_uses_98_percent_of_what_is_allowed_and_never_more(replicas: int, calls: int) -> None:
    rows = Rows()
    result = await played(
        [tokens_over(rows, rate()) for _ in range(replicas)], backlog(4000 // calls, calls), 180, Random(1)
    )

    by_minute = [result.in_minute(minute) for minute in range(3)]
    assert max(by_minute) <= ALLOWED
    assert sum(by_minute) >= 0.98 * 3 * ALLOWED, by_minute


async def test_bulk_work_is_spread_over_the_minute() -> None:
    result = await played([tokens_over(Rows(), rate())], backlog(4000), 180, Random(2))

    for second in range(3, 177):
        sent = sum(second - 3 <= a.second < second for a in result.admitted)
        assert sent <= 3 * ALLOWED / 57 * 2, "at most what was not used for three seconds, and as much again"


async def test_a_save_gets_its_requests_at_once_beside_2000_clinics_that_wait() -> None:
    random, rows = Random(3), Rows()
    asks = backlog(2000) + saves(0.8, 180, random)  # a fifth of what is allowed
    result = await played([tokens_over(rows, rate()) for _ in range(2)], asks, 180, random)

    waited = result.saves_waited()
    assert len(waited) > 350
    assert waited[int(len(waited) * 0.99)] == 0.0
    assert sum(result.in_minute(minute) for minute in range(2)) >= 0.98 * 2 * ALLOWED
    assert all(result.in_minute(minute) <= ALLOWED for minute in range(3))


async def test_bulk_work_that_comes_late_in_a_minute_is_no_burst_of_it() -> None:
    asks = [Ask(50 + n / 250, n, "bulk") for n in range(4000)]
    result = await played([tokens_over(Rows(), rate())], asks, 115, Random(4))

    assert result.in_minute(0) <= (58 - 50 + 3) * ALLOWED / 56
    assert result.in_minute(1) <= ALLOWED


async def test_who_waits_is_asked_no_more_often_than_the_key_has_room() -> None:
    result = await played([tokens_over(Rows(), rate())], backlog(2000), 180, Random(5))

    assert len(result.refused) < 3 * 2000, "a clinic that waits costs a claim each time"


async def test_small_and_large_rates_go_on() -> None:
    for per_minute in (1, 2, 10, 6000):
        rows = Rows()
        result = await played([tokens_over(rows, rate(per_minute))], backlog(min(per_minute * 3, 9000)), 180, Random(6))
        assert all(result.in_minute(minute) <= per_minute for minute in range(3))
        assert len(result.admitted) >= min(2 * max(1, per_minute - 1), 9000)


lanes: st.SearchStrategy[CallLane] = st.sampled_from(("save", "bulk"))
seconds = st.floats(0, 179, allow_nan=False)
arrivals = st.lists(st.tuples(seconds, lanes, st.integers(1, 3), st.integers(1, 40)), min_size=1, max_size=25)


@settings(max_examples=150, deadline=None)
@given(
    arrivals=arrivals,
    per_minute=st.integers(1, 150),
    replicas=st.integers(1, 3),
    skew=st.floats(-EARLY, EARLY),
    seed=st.integers(0, 2**32),
    share=st.sampled_from((0.0, 0.2, 0.5)),
)
async def test_whoever_comes_and_however_long_workers_sleep_vapi_counts_no_more_than_its_limit(
    arrivals: list[tuple[float, CallLane, int, int]],
    per_minute: int,
    replicas: int,
    skew: float,
    seed: int,
    share: float,
) -> None:
    random, rows, limits = Random(seed), Rows(), rate(per_minute, share)
    asks = [
        Ask(second, number * 100 + n, lane, calls)
        for number, (second, lane, calls, times) in enumerate(arrivals)
        for n in range(times)
    ]
    result = await played([tokens_over(rows, limits) for _ in range(replicas)], asks, 240, random)

    # A worker that sleeps past the send window sends nothing, so what arrives is at most that late.
    arrived: dict[int, int] = {}
    for admitted in result.admitted:
        minute = int((START + admitted.second + random.uniform(0, LATE - EARLY) + skew) // 60)
        arrived[minute] = arrived.get(minute, 0) + 1
    assert max(arrived.values(), default=0) <= per_minute

    for second, lane in result.refused:
        if lane == "save":
            assert _saves_have_used_the_rest(result.admitted, second, limits, replicas), second


def _saves_have_used_the_rest(admitted: list[Admitted], second: float, limits: Rate, replicas: int) -> bool:
    """Whether a save that was refused found a minute of which saves had used all that the curve had not reached.

    What bulk work had begun counts with them, as it was let go on; a replica may hold one request of either unused.
    """
    now = datetime.fromtimestamp(START + second, UTC)
    return any(
        sum(minute in _minutes(a.second) and a.lane != "bulk" and a.second <= second for a in admitted)
        >= limits.per_minute - limits.curve.in_minute(now, minute) - 2 * replicas
        for minute in _minutes(second)
    )


def _minutes(second: float) -> range:
    """The minutes from which a request of that second is taken."""
    return range(int((START + second - EARLY) // 60), int((START + second + LATE) // 60) + 1)
