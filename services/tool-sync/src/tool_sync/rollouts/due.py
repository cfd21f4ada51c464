"""What the feeder finds out without asking anybody: which tools are due, who is done, what a clinic
is told, why a gate stays shut. Pure."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tool_sync.domain.change_window import local_time
from tool_sync.domain.events import ToolOrdered
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.domain.fleet.decide import decide_tool
from tool_sync.domain.fleet.work import ClinicFacts, Work, work_of
from tool_sync.log import AppendRequest, fact, org_stream
from tool_sync.rollouts.walk import ClinicWalk

SOURCE: Final = "/zerotouch/tool-sync/feeder"
ACTOR: Final = "tool-sync"
FED_MAX: Final = 500
"""Clinics that are fed and not done: enough for as many as this machine does in a second."""
FED_SECONDS: Final = 3.0
"""Of a key's rate: whoever is fed and has to wait is told a time, and the last ones should not wait for long."""
FED_MIN: Final = 20
REFUSED_SHARE_MAX: Final = 0.05
"""Of a stage's clinics: where Vapi refuses the version for more, the stage waits for a person."""
LOOK_AFTER_OPENING: Final = timedelta(seconds=60)
WORK: Final[frozenset[Work]] = frozenset({"update", "add", "remove"})


def fed_max_of(requests_per_minute: int | None) -> int:
    """How many clinics are fed at a time, where the key allows so many requests; None: any number."""
    if requests_per_minute is None:
        return FED_MAX
    return min(FED_MAX, max(FED_MIN, round(requests_per_minute / 60 * FED_SECONDS)))


def why_shut(fleet: Fleet, order: Order, walk: ClinicWalk) -> str | None:
    """Why the gate stays shut whatever is at Vapi, in words: a stage that reached nobody has proved nothing."""
    if order.tool in fleet.halted:
        return f"{order.tool} is halted: {fleet.halted[order.tool]}"
    version = order.gives
    if version is not None and not fleet.is_answered(version):
        return f"assistant-api does not answer contract {version.contract} of {order.tool}"
    if not order.is_last_stage_open and version is not None and not walk.given and walk.later_given:
        assert walk.opens_at is not None
        first = local_time(walk.opens_at, walk.opens_in)
        return f"it has reached nobody yet: {walk.later_given:,} clinics wait for their window, the first opens {first}"
    if walk.refused > REFUSED_SHARE_MAX * walk.given:
        return f"Vapi refuses it for {walk.refused:,} of {walk.given:,} clinics"
    return None


def unread_text(missing: int, *, is_reported: bool) -> str:
    """So many tools are not at Vapi as ordered. Where drift is only reported, nobody but a person puts words right."""
    what = "1 tool is" if missing == 1 else f"{missing:,} tools are"
    return f"{what} not at Vapi as ordered yet" + ("; its drift is only reported" if is_reported else "")


def is_over(facts: ClinicFacts, fleet: Fleet, name: str) -> bool:
    """Whether a clinic that was fed is done; or has looked everything through, and an assistant cannot be helped."""
    if not is_for_feeder(facts, fleet, name):
        return True
    return work_of(facts, fleet, name) != "update" and not facts.is_open


def is_for_feeder(facts: ClinicFacts, fleet: Fleet, name: str) -> bool:
    """Whether a clinic has to be made due. One that is new is: told as well, its first saves would be run twice."""
    return not facts.is_new and work_of(facts, fleet, name) in WORK


def is_too_old(order: Order, now: datetime) -> bool:
    """Whether its gates have not opened in time."""
    return order.expires_at is not None and order.expires_at < now


def is_due(fleet: Fleet, name: str, settled: int, now: datetime, opens_at: datetime | None = None) -> bool:
    """Whether something of the tool changed that not every clinic has, or its order runs.

    ``opens_at``: some clinics wait for their change windows, of which the first opens then. They are due by themselves;
    a little later it is looked whether they have it, and who waits still.
    """
    if opens_at is not None and opens_at + LOOK_AFTER_OPENING < now:
        return True
    order = fleet.open_order(name)
    if order is not None and (order.state == "running" or is_too_old(order, now)):
        return True
    return fleet.changed_at.get(name, 0) > settled


def told(fleet: Fleet, name: str, facts: ClinicFacts, service_version: str) -> AppendRequest:
    """The event that makes a clinic look all of its assistants through for what is decided of the tool now.

    Once for each change and each state of the row: sent again, it is a duplicate.
    """
    made = decide_tool(facts.clinic, fleet, name)
    org_id = UUID(facts.clinic.org_id)
    halt = made.rule == "halted"
    order = None if made.order is None or made.pin is not None or halt else made.order.rollout_id
    cause = f"{name}:{fleet.changed_at[name]}:{facts.row_position}"
    if facts.closes_at is not None:
        cause += f":{facts.closes_at}"  # what was not done before its window closed is told anew in the next
    return fact(
        org_stream(org_id), org_id, ToolOrdered(name, order, halt), source=SOURCE, cause=cause, actor=ACTOR,
        service_version=service_version,
    )  # fmt: skip
