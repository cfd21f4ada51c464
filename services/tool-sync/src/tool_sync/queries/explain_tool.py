"""Why an org has a tool, or lacks it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain.drift import is_reworded
from tool_sync.domain.events import RetireReason, ToolDriftSeen
from tool_sync.domain.fleet import decide_tool
from tool_sync.domain.overlay import CustomState, part_state
from tool_sync.domain.plan.tools import is_current
from tool_sync.domain.subject import tool_subject
from tool_sync.domain.tool_setting import nearest
from tool_sync.domain.toolset import Toolset
from tool_sync.domain.wanted import WantedTool, clinic_of, version_given, wanted_of
from tool_sync.queries.as_of import StateAsOf, age_seconds, unknown_since
from tool_sync.queries.assistants import assistants_present
from tool_sync.queries.coverage import cannot_book
from tool_sync.queries.explain_rule import is_unused, rule_of, why_beaten
from tool_sync.queries.next_action import NextAction, Reason, next_action_of, work_of
from tool_sync.queries.surplus import SurplusTool, surplus_of
from tool_sync.queries.timeline import TimelineEntry, timeline_of_tool
from tool_sync.queries.tool_pins import ToolPin, pin_made_at
from tool_sync.queries.tool_settings import ToolSetting, settings_at

ToolCondition = Literal["registered", "outdated", "retired", "unknown", "failed", "missing", "unwanted"]

NOT_WANTED: Final = "nothing: it is not wanted"
WITHOUT_SHOWN: Final = 5
WITHOUT_MAX: Final = 1000


@dataclass(eq=False)
class UnknownTool(Exception):
    """Nobody has published a tool of this name, and the org never had one. ``known`` are those that there are."""

    name: str
    known: tuple[str, ...]

    def __str__(self) -> str:
        there = f"the tools are {', '.join(self.known)}" if self.known else "no tool is published"
        meant = f"; did you mean {like}?" if (like := nearest(self.name, self.known)) else ""
        return f"there is no tool {self.name}; {there}{meant}"


@dataclass(frozen=True, slots=True)
class RetiredTool:
    """A tool at Vapi that goes after ``delete_at``, if no assistant links it. ``doomed``: a deletion may still land."""

    vapi_tool_id: str
    reason: RetireReason
    delete_at: datetime
    doomed: bool


@dataclass(frozen=True, slots=True)
class ToolExplained:
    """``rule`` says why it is wanted or not, ``beaten`` which newer orders do not count.

    ``unknown_since``: a write to Vapi that has no answer yet.

    ``setting`` is the newest word of the clinic, or of an operator for it; null where nothing was ever set. ``pin``:
    the version at which the clinic stays whatever is ordered; null where it has none.
    ``condition``: registered as wanted; registered from another definition; not wanted any more and waiting for its
    deletion; its write has no answer; the last try failed; not there yet; not wanted and not there. ``surplus`` are
    further tools of this name at Vapi that the sweep deletes. ``outlook`` is null where a time in the past was asked
    for; ``unknown_seconds`` is the age at that time.
    """

    org_id: UUID
    tool: str
    as_of_position: int
    as_of: datetime
    wanted: bool
    rule: str
    beaten: tuple[str, ...]
    setting: ToolSetting | None
    condition: ToolCondition
    vapi_tool_id: str | None
    definition_version: int | None
    retired: RetiredTool | None
    surplus: tuple[SurplusTool, ...]
    unknown_since: datetime | None
    unknown_seconds: float | None
    failure_code: str | None
    failures: int
    retry_at: datetime | None
    outlook: NextAction | None
    events: tuple[TimelineEntry, ...]
    pin: ToolPin | None = None
    custom: tuple[CustomState, ...] = ()
    """What becomes of the clinic's own words."""


async def explain_tool(connection: Connection, moment: StateAsOf, name: str) -> ToolExplained:
    """The tool at that moment. Raises `UnknownTool`."""
    state = moment.state
    events = await timeline_of_tool(connection, moment.org_id, name, moment.position)
    await _require_known(connection, moment, name, events)
    settings = await settings_at(connection, moment.org_id, moment.position)
    setting = next((setting for setting in settings if setting.tool_name == name), None)
    clinic = clinic_of(state, moment.org_id, moment.asked_at)
    decided = decide_tool(clinic, moment.fleet, name)
    pin = await pin_at(connection, moment, name)
    wanted = _wanted(moment, name)
    retired = state.retired.get(name)
    ref = state.tools.get(name) or (retired.ref if retired else None)
    failure = state.failures.get(tool_subject(name))
    unknown = unknown_since(state, tool_subject(name))
    condition = _condition(state, name, wanted, unknown=unknown is not None)
    opens_at = clinic.opens_at if decided.rule == "window" else None
    return ToolExplained(
        org_id=moment.org_id,
        tool=name,
        as_of_position=moment.position,
        as_of=moment.at,
        wanted=wanted is not None,
        rule=rule_of(decided, moment, name, setting, pin),
        beaten=tuple(why_beaten(order, moment) for order in decided.beaten),
        setting=setting,
        condition=condition,
        vapi_tool_id=ref.vapi_tool_id if ref else None,
        definition_version=ref.definition_version if ref else None,
        retired=RetiredTool(retired.ref.vapi_tool_id, retired.reason, retired.delete_at, retired.deletion_sent)
        if retired
        else None,
        surplus=surplus_of(moment, name),
        unknown_since=unknown,
        unknown_seconds=age_seconds(moment, unknown),
        failure_code=failure.code if failure else None,
        failures=failure.count if failure else 0,
        retry_at=failure.retry_at if failure else None,
        outlook=await _next_action(connection, moment, name, wanted, condition, opens_at) if moment.is_now else None,
        events=events,
        pin=pin,
        custom=() if setting is None else custom_states(moment, setting),
    )


async def _next_action(
    connection: Connection,
    moment: StateAsOf,
    name: str,
    wanted: WantedTool | None,
    condition: ToolCondition,
    opens_at: datetime | None,
) -> NextAction:
    state = moment.state
    failure, retired = state.failures.get(tool_subject(name)), state.retired.get(name)
    return next_action_of(
        await work_of(connection, moment.org_id, moment.paused),
        reasons=await _reasons(connection, moment, name, wanted, condition),
        retry_at=(failure.retry_at if failure else None) or _next_look(state, wanted, condition),
        is_open=False,
        is_unknown=condition == "unknown",
        is_final=failure is not None and failure.retry_at is None,
        delete_at=retired.delete_at if retired and wanted is None else None,
        gone=NOT_WANTED if condition == "unwanted" else None,
        opens_at=opens_at,
        is_ordered=await _comes_by_order(connection, moment.org_id, condition),
    )


def custom_states(moment: StateAsOf, setting: ToolSetting) -> tuple[CustomState, ...]:
    """What becomes of each part that the clinic has set, by the version that it has or would have."""
    name = setting.tool_name
    version = version_given(moment.state, moment.fleet, moment.org_id, name, moment.asked_at)
    lost = tuple(CustomState(part, "lost") for part in setting.lost)
    found = (part for part in moment.state.custom.get(name, ()) if part.part not in setting.lost)
    return (*(CustomState(part.part, part_state(version, part)) for part in found), *lost)


async def pin_at(connection: Connection, moment: StateAsOf, name: str) -> ToolPin | None:
    """The tool's pin at that moment."""
    pin = moment.state.pins.get(name)
    return None if pin is None else await pin_made_at(connection, moment.org_id, pin.position)


async def _comes_by_order(connection: Connection, org_id: UUID, condition: ToolCondition) -> bool:
    """Whether the order alone brings it: a tool that the org lacks is made for its assistants, if it has any."""
    if condition == "missing":
        return bool(await assistants_present(connection, org_id, None, 1))
    return condition == "outdated"


async def _require_known(connection: Connection, moment: StateAsOf, name: str, events: Iterable[TimelineEntry]) -> None:
    if any(told.data.get("name") == name or told.data.get("subject") == tool_subject(name) for told in events):
        return
    published = set(moment.fleet.names)
    if name not in published:
        raise UnknownTool(name, tuple(sorted(published)))


def drift_text(seen: ToolDriftSeen, *, is_left: bool) -> str:
    """What somebody did to a tool at Vapi, and whether that stays, as a sentence."""
    if seen.gone:
        return f"somebody deleted {seen.name} at Vapi"
    what = f" ({', '.join(seen.differs)})" if seen.differs else ""
    left = "; its drift is only reported, so it stays so" if is_left else ""
    return f"somebody changed {seen.name} at Vapi{what}{left}"


def tool_reasons(state: Toolset, wanted: Iterable[WantedTool]) -> list[Reason]:
    """What is known to be wrong with these wanted tools of the org."""
    found = []
    for tool in wanted:
        name = tool.name
        current, seen = state.tools.get(name), state.drifted.get(name)
        if current is not None and not is_current(state, tool):
            had = f"the clinic has version {current.definition_version} of another definition"
            found.append(Reason(f"{name} is wanted in version {tool.definition_version}; {had}"))
        if (failure := state.failures.get(tool_subject(name))) is not None:
            found.append(Reason.of(f"the last try to bring {name} to Vapi failed", failure.code))
        if unknown_since(state, tool_subject(name)) is not None:
            found.append(Reason.of(f"a write of {name} to Vapi has no answer yet", "TS-104"))
        if current is not None and seen is not None and seen.vapi_tool_id == current.vapi_tool_id:
            found.append(Reason(drift_text(seen, is_left=tool.reports_drift and is_reworded(seen))))
    return found


async def _reasons(
    connection: Connection, moment: StateAsOf, name: str, wanted: WantedTool | None, condition: ToolCondition
) -> tuple[Reason, ...]:
    """Everything that makes "as wanted" false of a tool."""
    state = moment.state
    if wanted is None:
        still = condition not in ("unwanted", "retired")
        return (Reason(f"{name} is not wanted, and the clinic still has it"),) if still else ()
    found = tool_reasons(state, [wanted])
    match condition:
        case "missing":
            found.append(Reason(f"{name} is wanted, and the clinic does not have it at Vapi yet"))
        case "retired":
            found.append(Reason(f"{name} is wanted again, and still retired"))
    lacking = [
        one
        for one in await cannot_book(connection, moment.org_id, limit=WITHOUT_MAX)
        if any(lack.tool in (None, name) for lack in one.lacks)
    ]
    for code in dict.fromkeys(one.code for one in lacking):
        agents = [one.agent_id for one in lacking if one.code == code]
        more = f" and {len(agents) - WITHOUT_SHOWN} more" if len(agents) > WITHOUT_SHOWN else ""
        shown = ", ".join(agents[:WITHOUT_SHOWN])
        found.append(Reason.of(f"callers of {len(agents)} assistant(s) do not reach it: {shown}{more}", code))
    return tuple(found)


def _next_look(state: Toolset, wanted: WantedTool | None, condition: ToolCondition) -> datetime | None:
    """A look at any assistant of the org brings a tool that is wanted and not there."""
    if wanted is None or condition not in ("missing", "outdated", "retired"):
        return None
    return min(state.looks.values(), default=None)


def _wanted(moment: StateAsOf, name: str) -> WantedTool | None:
    """As it is wanted; None where it is not. An org that lost its last assistant wants it again with the next."""
    if is_unused(moment.state, name):
        return None
    wanted = wanted_of(moment.state, moment.fleet, moment.org_id, moment.asked_at)
    return next((tool for tool in wanted.tools if tool.name == name), None)


def _condition(state: Toolset, name: str, wanted: WantedTool | None, *, unknown: bool) -> ToolCondition:
    current = state.tools.get(name)
    if unknown:
        return "unknown"
    if tool_subject(name) in state.failures:
        return "failed"
    if name in state.retired:
        return "retired"
    if current is not None:
        return "registered" if wanted is None or is_current(state, wanted) else "outdated"
    return "unwanted" if wanted is None else "missing"
