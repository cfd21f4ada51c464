"""Says when Vapi's clock and the database's differ, once for each change. Nothing depends on it: it is for people."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import structlog

from zerotouch_platform.loops import Loop
from zerotouch_platform.vapi.clock import VapiClock

SKEW_SECONDS_MAX: Final = 5.0
LOOK_SECONDS: Final = 15.0

_log: Final = structlog.get_logger()


class ClockWatch:
    """Looks at both clocks. ``our_now`` reads the database's time."""

    def __init__(self, clock: VapiClock, our_now: Callable[[], Awaitable[datetime]]) -> None:
        self._clock, self._our_now = clock, our_now
        self.skew_seconds: float | None = None
        """How far Vapi is ahead; None while no answer has told."""

    @property
    def problem(self) -> str | None:
        """What is to be told to an operator, or None."""
        skew = self.skew_seconds
        if skew is None or abs(skew) <= SKEW_SECONDS_MAX:
            return None
        ahead = "ahead of" if skew > 0 else "behind"
        return f"Vapi's clock is {abs(skew):.0f} s {ahead} the database's: check the database's host (NTP)"

    def loop(self, transient: tuple[type[Exception], ...]) -> Loop:
        """Looks every 15 s; where that raises one of ``transient``, the database's own check says so."""
        return Loop(self.run_once, LOOK_SECONDS, "vapi_clock_not_compared", transient, level=logging.DEBUG)

    async def run_once(self) -> None:
        """Look once. Raises what ``our_now`` raises."""
        ours, was_wrong = await self._our_now(), self.problem is not None
        theirs = self._clock.now()
        self.skew_seconds = None if theirs is None else (theirs - ours).total_seconds()
        if (problem := self.problem) is not None and not was_wrong:
            _log.error("vapi_clock_differs", alarm=True, skew_seconds=round(self.skew_seconds or 0, 1), reason=problem)
        elif problem is None and was_wrong:
            _log.info("vapi_clock_agrees", skew_seconds=self.skew_seconds)
