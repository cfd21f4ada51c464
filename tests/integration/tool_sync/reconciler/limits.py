"""How long things may take in a world: short, as time is not faked."""

from datetime import timedelta
from typing import Final

from tool_sync.domain.plan.situation import Policy
from tool_sync.sync.context import Limits

SETTLE_SECONDS: Final = 0.6

POLICY: Final = Policy(
    settle=timedelta(seconds=SETTLE_SECONDS),
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
