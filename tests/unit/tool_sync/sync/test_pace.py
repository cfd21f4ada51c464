"""As many orgs at once as the process can serve in time."""

from tool_sync.sync.concurrency import ORGS_FIRST, ORGS_MIN, ConcurrencyLimiter


class Time:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_begins_with_a_few_or_with_the_maximum_where_that_is_lower() -> None:
    assert ConcurrencyLimiter(1000, slow_seconds=0.4, monotonic=Time()).orgs == ORGS_FIRST
    assert ConcurrencyLimiter(5, slow_seconds=0.4, monotonic=Time()).orgs == 5


def test_quick_appends_allow_more_orgs_up_to_the_maximum() -> None:
    pace = ConcurrencyLimiter(ORGS_FIRST + 2, slow_seconds=0.4, monotonic=Time())
    pace.note(0.01)
    assert pace.orgs == ORGS_FIRST + 1
    for _ in range(5):
        pace.note(0.01)
    assert pace.orgs == ORGS_FIRST + 2


def test_slow_appends_allow_fewer_once_for_all_that_waited_together() -> None:
    time = Time()
    pace = ConcurrencyLimiter(1000, slow_seconds=0.4, monotonic=time)
    for _ in range(50):
        pace.note(0.6)
    assert pace.orgs == ORGS_FIRST * 3 // 4
    time.now = 0.5
    pace.note(0.6)
    assert pace.orgs == ORGS_FIRST * 9 // 16


def test_some_orgs_are_always_worked_on() -> None:
    time = Time()
    pace = ConcurrencyLimiter(1000, slow_seconds=0.4, monotonic=time)
    for step in range(100):
        time.now = float(step)
        pace.note(5.0)
    assert pace.orgs == ORGS_MIN
