"""How much is let through, on a clock of the test's: by example, and by random crowds."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotouch_platform.limits.limiter import Admission, Key, Limiter, Places
from zerotouch_platform.limits.policy import Kind, Of, Quota, Rate, Refusal, Standing
from zerotouch_platform.limits.usage import UsageTable

SMALL = Quota(requests=Rate(2, 5), bytes=Rate(100, 1000), work=Rate(0.5, 2), in_flight_max=3, streams_max=2)
WIDE = Quota(requests=Rate(1e6, 1e6), bytes=Rate(1e9, 1e9), work=Rate(1e6, 1e6), in_flight_max=10**6, streams_max=10**6)
MANY = Places(10**6, 10**6)
LAPTOP, OTHER_LAPTOP, CLINIC = Key(Of.TOKEN, b"laptop"), Key(Of.TOKEN, b"other"), Key(Of.ORG, b"clinic")


def limiter(token: Quota = SMALL, org: Quota = WIDE, keys_max: int = 100, places: Places = MANY) -> Limiter:
    return Limiter({Of.TOKEN: token, Of.ORG: org, Of.PLATFORM: WIDE}, keys_max, places)


def passed(one: Limiter, number: int, now: float, *keys: Key) -> int:
    """How many of so many requests, one after another, are let through."""
    count = 0
    for _ in range(number):
        admitted = one.admit(keys or (LAPTOP,), now)
        if isinstance(admitted, Admission):
            one.release(admitted)
            count += 1
    return count


def refused(answer: Admission | Refusal) -> Refusal:
    assert isinstance(answer, Refusal)
    return answer


def admitted(answer: Admission | Refusal) -> Admission:
    assert isinstance(answer, Admission)
    return answer


def test_a_burst_passes_and_then_the_rate() -> None:
    one = limiter()
    assert passed(one, 10, 0.0) == 5
    assert passed(one, 10, 0.4) == 0
    assert passed(one, 10, 1.0) == 2
    assert passed(one, 10, 1000.0) == 5


def test_what_is_refused_takes_nothing() -> None:
    one = limiter(token=SMALL, org=WIDE)
    passed(one, 1000, 0.0, LAPTOP, CLINIC)
    clinic = one.usage(CLINIC, 0.0)
    assert clinic.requests.level(WIDE.requests, 0.0) == WIDE.requests.burst - 5
    assert clinic.in_flight == 0


def test_a_clinic_keeps_what_one_of_its_tokens_may_not_have() -> None:
    half = SMALL.share(0.4)
    one = limiter(token=half, org=SMALL)
    assert passed(one, 10, 0.0, LAPTOP, CLINIC) == 2
    assert passed(one, 10, 0.0, OTHER_LAPTOP, CLINIC) == 2
    assert passed(one, 10, 0.0, Key(Of.TOKEN, b"third"), CLINIC) == 1  # by now it is the clinic's limit
    assert passed(one, 10, 0.0, Key(Of.TOKEN, b"third"), Key(Of.ORG, b"neighbour")) == 1


def test_what_is_held_is_counted_until_it_is_given_back() -> None:
    one = limiter(token=WIDE, org=SMALL)
    held = [admitted(one.admit((LAPTOP, CLINIC), 0.0)) for _ in range(3)]
    full = refused(one.admit((LAPTOP, CLINIC), 0.0))
    assert [standing.kind for standing in full.standings] == [Kind.IN_FLIGHT]
    streams = [admitted(one.admit((LAPTOP, CLINIC), 60.0, is_stream=True)) for _ in range(2)]
    assert refused(one.admit((LAPTOP, CLINIC), 120.0, is_stream=True)).standings[0].kind is Kind.STREAMS
    one.release(held[0])
    admitted(one.admit((LAPTOP, CLINIC), 180.0))
    refused(one.admit((LAPTOP, CLINIC), 240.0))
    for stream in streams:
        one.release(stream)
    admitted(one.admit((LAPTOP, CLINIC), 300.0, is_stream=True))


@pytest.mark.parametrize("greedy", [1, 2, 9])
@pytest.mark.parametrize("is_stream", [True, False])
def test_however_many_are_greedy_a_newcomer_finds_a_place(greedy: int, is_stream: bool) -> None:
    one = limiter(org=WIDE, places=Places(100, 100))
    held = Counter[int]()
    for _ in range(200):
        for name in range(greedy):
            answer = one.admit((Key(Of.ORG, bytes([name])),), 0.0, is_stream=is_stream)
            held[name] += isinstance(answer, Admission)
    assert max(held.values()) - min(held.values()) <= 1, "they have the same"
    assert 100 - held.total() >= 100 // (greedy + 1) - 1
    newcomer = admitted(one.admit((CLINIC,), 0.0, is_stream=is_stream))
    admitted(one.admit((Key(Of.ORG, bytes([greedy + 1])),), 0.0, is_stream=not is_stream))
    for _ in range(50):  # the platform's own need not leave places free
        admitted(one.admit((Key(Of.PLATFORM, b"relay"),), 0.0, is_stream=is_stream))
    one.release(newcomer)


def test_bytes_are_a_debt_that_the_next_request_waits_for() -> None:
    one = limiter(token=Quota(WIDE.requests, Rate(100, 1000), WIDE.work, 10, 1))
    one.release(admitted(one.admit((LAPTOP,), 0.0, body_bytes=1500)))
    full = refused(one.admit((LAPTOP,), 0.0))
    assert (full.standings[0].kind, full.retry_after_seconds) == (Kind.BYTES, 6)  # 5 s for the debt, and a byte
    piecewise = admitted(one.admit((LAPTOP,), 6.0))
    one.received(piecewise, 600, 6.0)
    refused(one.admit((LAPTOP,), 10.0))
    one.release(admitted(one.admit((LAPTOP,), 12.0)))


def test_work_is_a_debt_too_of_whoever_made_it_and_of_nobody_else() -> None:
    one = limiter(token=Quota(WIDE.requests, WIDE.bytes, Rate(0.25, 1), 10, 1))
    dear = admitted(one.admit((LAPTOP, CLINIC), 0.0))
    one.worked(dear, 1.5, 0.0)
    one.release(dear)
    full = refused(one.admit((LAPTOP, CLINIC), 0.0))
    assert [(each.name, each.quota, each.until_seconds) for each in full.standings] == [("token-work", 1000, 3)]
    one.release(admitted(one.admit((OTHER_LAPTOP, CLINIC), 0.0)))
    refused(one.admit((LAPTOP, CLINIC), 2.0))
    one.release(admitted(one.admit((LAPTOP, CLINIC), float(full.retry_after_seconds))))


def test_a_length_of_many_digits_is_no_debt_of_years() -> None:
    one = limiter(token=Quota(WIDE.requests, Rate(1e9, 1e9), WIDE.work, 10, 1))
    one.release(admitted(one.admit((LAPTOP,), 0.0, body_bytes=10**12)))
    assert refused(one.admit((LAPTOP,), 0.0)).retry_after_seconds < 5


@given(
    steps=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 20), st.sampled_from([LAPTOP, OTHER_LAPTOP])), max_size=60)
)
@settings(max_examples=100, deadline=None)
def test_never_more_than_the_burst_and_the_rate_over_any_stretch_of_time(
    steps: list[tuple[float, int, Key]],
) -> None:
    one, now = limiter(token=SMALL, org=Quota(Rate(3, 6), WIDE.bytes, WIDE.work, 10, 1)), 0.0
    let_through: list[tuple[float, Key, int]] = []
    for pause, number, key in steps:
        now += pause
        let_through.append((now, key, passed(one, number, now, key, CLINIC)))
    for first, (began, _, _) in enumerate(let_through):
        by_token: Counter[Key] = Counter()
        for at, key, number in let_through[first:]:
            by_token[key] += number
            assert by_token[key] <= 5 + 2 * (at - began) + 1e-6
            assert by_token.total() <= 6 + 3 * (at - began) + 1e-6


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=2), st.booleans()), max_size=300), st.integers(1, 20))
@settings(max_examples=100, deadline=None)
def test_no_crowd_makes_it_remember_more_than_it_may(crowd: list[tuple[bytes, bool]], keys_max: int) -> None:
    one = limiter(token=WIDE, org=WIDE, keys_max=keys_max)
    held: list[tuple[bytes, Admission]] = []
    for number, (name, stays) in enumerate(crowd):
        answer = admitted(one.admit((Key(Of.TOKEN, name),), float(number)))
        if stays and len(held) < 5:
            held.append((name, answer))
        else:
            one.release(answer)
        assert one.keys_tracked <= max(keys_max, 5) + 1
    open_by_name = Counter(name for name, _ in held)
    for name, number in open_by_name.items():  # what is open is never forgotten, or it could be opened for ever
        assert one.usage(Key(Of.TOKEN, name), 1000.0).in_flight == number


def test_the_key_that_was_not_seen_longest_makes_place() -> None:
    table = UsageTable(2)
    first = table.of(b"a", SMALL, 0.0)
    table.of(b"b", SMALL, 0.0)
    assert table.of(b"a", SMALL, 1.0) is first
    table.of(b"c", SMALL, 2.0)
    assert len(table) == 2
    assert table.of(b"a", SMALL, 3.0) is first


def test_whoever_comes_close_is_told_and_nobody_else() -> None:
    one = limiter()
    lows = []
    for _ in range(5):
        answer = admitted(one.admit((LAPTOP, CLINIC), 0.0))
        lows.append(None if answer.low is None else answer.low.left)
        one.release(answer)
    assert lows == [None, None, 2, 1, 0]


@pytest.mark.parametrize(
    ("standing", "policy", "limit"),
    [
        (Standing(Of.ORG, Kind.REQUESTS, 1000, 0, 10, 1), '"org-requests";q=1000;w=10', '"org-requests";r=0;t=1'),
        (
            Standing(Of.TOKEN, Kind.IN_FLIGHT, 100, 0, None, 1),
            '"token-in-flight";q=100;qu="concurrent-requests"',
            '"token-in-flight";r=0;t=1',
        ),
        (
            Standing(Of.ADDRESS, Kind.BYTES, 10, 3, 2, 1),
            '"address-bytes";q=10;qu="content-bytes";w=2',
            '"address-bytes";r=3;t=1',
        ),
    ],
)
def test_a_policy_is_a_structured_field(standing: Standing, policy: str, limit: str) -> None:
    assert (standing.policy_item(), standing.limit_item()) == (policy, limit)
    assert re.fullmatch(r'"[a-z-]+"(;[a-z]+=(\d+|"[a-z-]+"))+', standing.policy_item())


@given(st.floats(0.01, 1000), st.floats(1, 5000), st.integers(0, 3000))
def test_what_is_told_is_never_more_than_the_rate_allows(per_second: float, burst: float, taken: int) -> None:
    """Draft, section 8.5: who divides what is left by the window must not come too fast."""
    one = limiter(token=Quota(Rate(per_second, burst), WIDE.bytes, WIDE.work, 10, 1))
    for _ in range(taken % 50):
        answer = one.admit((LAPTOP,), 0.0)
        if isinstance(answer, Refusal):
            assert answer.retry_after_seconds >= 1
            assert isinstance(one.admit((LAPTOP,), float(answer.retry_after_seconds)), Admission)
            break
        one.release(answer)
        if answer.low is not None and answer.low.left:
            assert answer.low.left / answer.low.until_seconds <= per_second + 1e-9 or answer.low.until_seconds == 1
