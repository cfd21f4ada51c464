"""How long things may take in these tests: short, as time is not faked."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from tool_sync.domain.plan.situation import Policy
from tool_sync.publishing.document import Installation
from tool_sync.publishing.tool_file import ToolFile
from tool_sync.sync.context import Limits

INSTALLATION: Final = UUID("0b7e3c1e-3a64-4b3e-9a55-5d4f0a6c9a10")
HOOKS: Final = "https://hooks.example.test"
AT: Final = Installation(HOOKS, INSTALLATION, None)

POLICY: Final = Policy(
    settle=timedelta(seconds=0.6),
    give_up=timedelta(seconds=3600),
    look_again=timedelta(seconds=0.2),
    diverged_look=timedelta(seconds=0.1),
    diverged_give_up=timedelta(seconds=600),
    retry_seconds_base=0.05,
    retry_seconds_max=0.2,
)
LIMITS: Final = Limits(
    send_window_seconds=1,
    lease_seconds=5,
    lease_renew_seconds=1.5,
    claim_batch_max=200,
    steps_per_org_max=4,
    poll_seconds_max=0.5,
    snapshot_after_events=20,
)

BOOKING: Final = "bookClinicAppointment"
CANCELLING: Final = "cancelAppointment"


def tool(description: str, name: str = BOOKING, *, tier: str = "basic") -> ToolFile:
    """A tool's file that says this."""
    return ToolFile(name, 2, description, tier=tier)
