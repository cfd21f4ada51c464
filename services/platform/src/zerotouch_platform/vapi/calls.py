"""Every call to Vapi, measured: how long it took and what it was answered, by route."""

from typing import Final

from zerotouch_platform.meters import Measure, Meters

CALLS: Final = "zerotouch.vapi.call.duration"
MEASURE: Final = Measure("s", "calls to Vapi, by `method`, `route` and `status` (`none`: no answer)")
BOUNDS: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0)


class CallMeter:
    """Measures them in one process."""

    def __init__(self, meters: Meters) -> None:
        self._calls = meters.histogram(CALLS, MEASURE, BOUNDS)

    def called(self, method: str, route: str, status: int | None, seconds: float) -> None:
        """One call has ended, as :data:`zerotouch_platform.vapi.exchange.Measured` says it."""
        answered = "none" if status is None else str(status)
        self._calls.record(seconds, {"method": method, "route": route, "status": answered})
