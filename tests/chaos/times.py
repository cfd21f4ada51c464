"""The times of a run: the services' own as environment variables, those of production or scaled by a fifth and a tenth.

Scaled runs have more ambiguous calls, take-overs and settle times in a minute; the order between the times is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

REQUESTS_PER_MINUTE: Final = 9000
"""Of the one credential, for both services: above what the load needs, below what a stampede would take."""


@dataclass(frozen=True, slots=True)
class Times:
    """`late_ms` lies below the settle time less window, and `list_lag_ms` in what is left of it.

    What lands later still is swept when it is `surplus_age` old; the quiet period waits for that.
    """

    window: float
    deadline: float
    settle: float
    late_ms: int
    list_lag_ms: int
    surplus_age: float
    quiet_seconds_max: float
    assistant_api: Mapping[str, str]
    tool_sync: Mapping[str, str]


_COMMON: Final = {"VAPI_REQUESTS_PER_MINUTE": str(REQUESTS_PER_MINUTE), "LOG_LEVEL": "INFO"}

SCALED: Final = Times(
    window=0.2,
    deadline=1,
    settle=2,
    late_ms=1400,
    list_lag_ms=500,
    surplus_age=8,
    quiet_seconds_max=150,
    assistant_api=_COMMON
    | {
        "SEND_WINDOW_SECONDS": "0.2",
        "VAPI_DEADLINE_SECONDS": "1",
        "SETTLE_SECONDS": "2",
        "SURPLUS_AGE_SECONDS": "8",
        "LEASE_SECONDS": "4",
        "RETRY_SECONDS_MAX": "10",
        "HEALS_PER_HOUR_MAX": "100",
        "TOOL_GRACE_SECONDS": "8",
        "KEY_REFUSED_SECONDS": "2",
        "BREAKER_SECONDS_MAX": "2",
        "REWRITE_DELAY_SECONDS": "3",
        "REWRITE_POLL_SECONDS": "1",
    },
    tool_sync=_COMMON
    | {
        "SEND_WINDOW_SECONDS": "0.2",
        "CALL_DEADLINE_SECONDS": "1",
        "SETTLE_SECONDS": "2",
        "RETRY_SECONDS_BASE": "0.2",
        "RETRY_SECONDS_MAX": "10",
        "DIVERGED_LOOK_SECONDS": "0.5",
        "TOOL_GRACE_SECONDS": "8",
        "SURPLUS_AGE_SECONDS": "8",
        "SWEEP_EVERY_SECONDS": "4",
        "SURVEY_POLL_SECONDS": "5",
        "SURVEY_SETTLED_SECONDS": "2",
        "KEY_REFUSED_SECONDS": "2",
        "BREAKER_SECONDS_MAX": "2",
    },
)

UNSCALED: Final = Times(
    window=1,
    deadline=10,
    settle=20,
    late_ms=14_000,
    list_lag_ms=5_000,
    surplus_age=300,
    quiet_seconds_max=900,
    assistant_api=_COMMON | {"HEALS_PER_HOUR_MAX": "100", "SURPLUS_AGE_SECONDS": "300"},
    tool_sync=_COMMON | {"SURPLUS_AGE_SECONDS": "300", "SWEEP_EVERY_SECONDS": "60"},
)
"""As the services are delivered, but for the sweep of what was made in vain: the quiet period waits for it."""
