"""Whether calls of a new version fail more often than those of the old one: looked at after every call. Pure.

    not enough   neither is shown yet
    not worse    it is shown that it fails at most MARGIN more often, in points
    worse        it is shown that it fails more often

Each of the two is claimed only where the opposite is refuted, and each wrongly with at most ``ERROR_MAX``, however
often and whenever it is looked at. The evidence against a hypothesis is the likelihood under a mixture over all pairs
of rates, by the likelihood of the best pair that the hypothesis allows. Under the hypothesis it exceeds 1/a at any
time with a probability of at most a: Wasserman, Ramdas and Balakrishnan, "Universal inference", PNAS 117 (2020),
section 8, by Ville's inequality (1939); read 2026-11-30. No approximation is in it, so few calls are judged, too.

It takes calls as independent of each other, with one rate for each side. Where nobody has an old version, the new one
is compared with ``RATE_ALLOWED``; never as the old one's calls are few so far, since it may fail more often than that.
"""

from dataclasses import dataclass
from datetime import timedelta
from math import lgamma, log
from typing import Final, Literal

from tool_sync.domain.events import RolloutStage

ERROR_MAX: Final = 0.05
MARGIN: Final = 0.10
RATE_ALLOWED: Final = 0.05
"""Of a version's calls may fail where there is nothing to compare it with."""
WORSE_CALLS_MIN: Final = 10
"""One conversation in which a model tries the same a few times is not what a version is judged by."""

_THRESHOLD: Final = -log(ERROR_MAX)
_Beta = tuple[float, float]
# Mixtures: any is valid. These find a version soon that fails at a fifth of its calls, and one that hardly ever does.
_FAILING: Final[_Beta] = (1.0, 3.0)
_WORKING: Final[_Beta] = (1.0, 30.0)
_OLD: Final[_Beta] = (1.0, 20.0)
_HALVINGS: Final = 60
_TINY: Final = 1e-12
"""No rate is 0 or 1 where its logarithm is taken."""

Verdict = Literal["not enough", "not worse", "worse"]
Judgement = Literal["waits", "not worse", "worse", "thin"]


@dataclass(frozen=True, slots=True)
class Calls:
    """So many calls, of which so many failed."""

    total: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        assert 0 <= self.failed <= self.total, f"{self.failed} of {self.total} calls cannot have failed"


def compare(new: Calls, old: Calls | None) -> Verdict:
    """What the calls show. Of two that are shown, ``worse``. ``old`` None: nobody has an old version."""
    if new.total >= WORSE_CALLS_MIN and _against_not_worse(new, old) >= _THRESHOLD:
        return "worse"
    return "not worse" if _against_much_worse(new, old) >= _THRESHOLD else "not enough"


def judge(stage: RolloutStage, new: Calls, old: Calls | None, waited: timedelta, *, all_read: bool) -> Judgement:
    """What a stage's gate makes of the calls since it opened, ``waited`` ago.

    ``thin``: too few calls came in the time that the stage gives them, and none shows that the version is worse; not
    where calls may have come that were not read. Enough calls that show nothing yet wait for more of them.
    """
    verdict = compare(new, old)
    if verdict == "worse":
        return "worse"
    if new.total >= stage.gate_calls:
        return "not worse" if verdict == "not worse" else "waits"
    is_over = bool(stage.gate_hours) and waited >= timedelta(hours=stage.gate_hours)
    return "thin" if is_over and all_read else "waits"


def _against_not_worse(new: Calls, old: Calls | None) -> float:
    if old is None:
        return _mixture(new, _FAILING) - _best_of_rate(new, RATE_ALLOWED, above=False)
    return _mixture(new, _FAILING) + _mixture(old, _OLD) - _best_not_worse(new, old)


def _against_much_worse(new: Calls, old: Calls | None) -> float:
    if old is None:
        return _mixture(new, _WORKING) - _best_of_rate(new, RATE_ALLOWED + MARGIN, above=True)
    return _mixture(new, _WORKING) + _mixture(old, _OLD) - _best_much_worse(new, old)


def _mixture(calls: Calls, prior: _Beta) -> float:
    """The logarithm of the likelihood of these calls, in their order, over all rates."""
    failing, working = prior
    return _log_beta(failing + calls.failed, working + calls.total - calls.failed) - _log_beta(failing, working)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _log_likelihood(calls: Calls, rate: float) -> float:
    worked = calls.total - calls.failed
    return (calls.failed * log(rate) if calls.failed else 0.0) + (worked * log(1 - rate) if worked else 0.0)


def _best(calls: Calls) -> float:
    """Under the rate that fits best."""
    return _log_likelihood(calls, calls.failed / calls.total) if calls.total else 0.0


def _best_not_worse(new: Calls, old: Calls) -> float:
    """Under the best rates of which the new one is not above the old one."""
    if new.failed * old.total <= old.failed * new.total:
        return _best(new) + _best(old)
    return _best(Calls(new.total + old.total, new.failed + old.failed))


def _best_much_worse(new: Calls, old: Calls) -> float:
    """Under the best rates of which the new one is above the old one by the margin at least."""
    if not new.total or (old.total and new.failed / new.total >= old.failed / old.total + MARGIN):
        return _best(new) + _best(old)
    low, high = _TINY, 1 - MARGIN - _TINY
    for _ in range(_HALVINGS):  # the likelihood along the margin is concave in the old rate
        rate = (low + high) / 2
        slope = _slope(old, rate) + _slope(new, rate + MARGIN)
        low, high = (rate, high) if slope > 0 else (low, rate)
    rate = (low + high) / 2
    return _log_likelihood(old, rate) + _log_likelihood(new, rate + MARGIN)


def _slope(calls: Calls, rate: float) -> float:
    return calls.failed / rate - (calls.total - calls.failed) / (1 - rate)


def _best_of_rate(calls: Calls, bound: float, *, above: bool) -> float:
    """Under the best rate that is at most ``bound``, or at least."""
    rate = calls.failed / calls.total if calls.total else bound
    return _log_likelihood(calls, max(rate, bound) if above else min(rate, bound))
