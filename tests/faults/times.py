"""How long calls and leases last in a fault run, by one setting: a whole run of crashes must not wait for 20 s each."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Times:
    """The times of both services and of the sandbox's lists, in seconds."""

    send_window: float
    call_deadline: float
    settle: float
    list_lag: float
    lease: float
    api_lease: float
    retry: float
    grace: float
    surplus_age: float

    def of_tool_sync(self) -> dict[str, str]:
        """As environment variables of tool-sync."""
        return {
            "SEND_WINDOW_SECONDS": f"{self.send_window:g}",
            "CALL_DEADLINE_SECONDS": f"{self.call_deadline:g}",
            "SETTLE_SECONDS": f"{self.settle:g}",
            "LEASE_SECONDS": f"{self.lease:g}",
            "LEASE_RENEW_SECONDS": f"{0.3 * self.lease:g}",
            "RETRY_SECONDS_BASE": f"{self.retry:g}",
            "TOOL_GRACE_SECONDS": f"{self.grace:g}",
            "SURPLUS_AGE_SECONDS": f"{self.surplus_age:g}",
            "SWEEP_EVERY_SECONDS": f"{self.grace:g}",
            "KEY_REFUSED_SECONDS": f"{self.settle:g}",
            "BREAKER_SECONDS_MAX": f"{self.settle:g}",
        }

    def of_assistant_api(self) -> dict[str, str]:
        """As environment variables of assistant-api."""
        return {
            "SEND_WINDOW_SECONDS": f"{self.send_window:g}",
            "VAPI_DEADLINE_SECONDS": f"{self.call_deadline:g}",
            "TOOL_GRACE_SECONDS": f"{self.grace:g}",
            "SETTLE_SECONDS": f"{self.settle:g}",
            "LEASE_SECONDS": f"{self.api_lease:g}",
            "SURPLUS_AGE_SECONDS": f"{self.surplus_age:g}",
            "RETRY_SECONDS_MIN": f"{self.retry:g}",
            "KEY_REFUSED_SECONDS": f"{self.settle:g}",
            "BREAKER_SECONDS_MAX": f"{self.settle:g}",
        }


REAL: Final = Times(
    send_window=1,
    call_deadline=10,
    settle=20,
    list_lag=5,
    lease=5,
    api_lease=30,
    retry=1,
    grace=86_400,
    surplus_age=3600,
)
"""As the services are delivered."""
SHORT: Final = Times(
    send_window=0.2, call_deadline=1, settle=2, list_lag=0.5, lease=2, api_lease=3, retry=0.1, grace=2, surplus_age=4
)
"""A tenth of that, but for the window: an append on a busy machine takes its time."""
