"""Words for the tests of retired and surplus tools: their events, and a plan after the org was looked through."""

from tool_sync.domain.events import (
    SurplusDeleteStarted,
    SurplusFound,
    ToolDeleteStarted,
    ToolRetired,
)
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.plan import next_steps
from tool_sync.domain.plan.situation import OrgWide, RunProgress, Situation
from tool_sync.domain.plan.steps import (
    DeletionCandidate,
    Plan,
    SweepTools,
)
from tool_sync.domain.plan.tools import target_of
from tool_sync.domain.toolset import Assistant, Toolset
from tool_sync.domain.wanted import wanted_of

from .builders import (
    ACCOUNT,
    CANCEL,
    POLICY,
    after,
    registered,
    registering,
    uid,
)
from .fleets import ORG, fleet_of, ordered, published

GRACE = POLICY.tool_grace.total_seconds()
AGE = POLICY.surplus_age.total_seconds()
EVERY = POLICY.sweep_every.total_seconds()
BOTH = (registering(), registered(), registering(101, CANCEL), registered(101, CANCEL, "t-2"))
RETIRED = ToolRetired(ACCOUNT, "book", "t-1", 1, "hash-book-1", "tier", after(GRACE))
DELETING = ToolDeleteStarted(uid(300), ACCOUNT, "book", "t-1", after(GRACE))
FOUND = SurplusFound(ACCOUNT, "book", "t-9", after(0))
REMOVING = SurplusDeleteStarted(uid(301), ACCOUNT, "book", "t-9")
FLEET = fleet_of(
    published("book"), published("cancel", tier="professional"), *ordered("r-1"), *ordered("r-2", tool="cancel")
)
SWEEP = SweepTools((DeletionCandidate("book", "t-1", after(GRACE)),))


def planned(
    state: Toolset,
    *rows: Assistant,
    at: float = 0,
    found: frozenset[str] = frozenset(),
    has_assistants: bool = True,
    busy: frozenset[str] = frozenset(),
    fleet: Fleet = FLEET,
) -> Plan:
    """A plan after the run has looked through the org."""
    wanted = wanted_of(state, fleet, ORG, after(0))
    target = target_of(state, wanted.tools)
    return next_steps(
        Situation(
            state,
            {row.agent_id: row for row in rows},
            wanted,
            after(at),
            POLICY,
            RunProgress(org_wide=OrgWide(target, found, has_assistants, not found), busy=busy),
            ACCOUNT,
        )
    )
