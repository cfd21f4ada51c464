"""A clinic as a person looks at it: how each assistant stands, what it is to have and has of each tool, changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.queries.as_of import StateAsOf
from tool_sync.queries.assistants import assistants_after
from tool_sync.queries.can_book import Standing, standings
from tool_sync.queries.change_windows import OrgWindow, window_of
from tool_sync.queries.changes import ToolChange, changes_of
from tool_sync.queries.coverage import Coverage, coverage_of
from tool_sync.queries.display_names import name_of, names_of
from tool_sync.queries.explain_tool import drift_text
from tool_sync.queries.org_wanted import wanted_at
from tool_sync.queries.plain_words import ability
from tool_sync.queries.tool_calls import OrgCalls, calls_of
from tool_sync.queries.tool_pins import ToolPin, pins_of
from tool_sync.queries.tool_settings import ToolSetting, settings_at

ASSISTANTS_MAX: Final = 25
CHANGES_MAX: Final = 15
TOOLS_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class ToolRow:
    """A tool, as it is to be and as it is. ``wanted``: the version, null where none; ``keeps``: as it is, whatever."""

    name: str
    ability: str
    wanted: int | None
    keeps: bool
    why: str
    present: int | None
    vapi_tool_id: str | None
    leaves_at: datetime | None
    notes: tuple[str, ...]
    setting: ToolSetting | None
    position: int

    @property
    def is_off(self) -> bool:
        return self.setting is not None and self.setting.enabled is False


@dataclass(frozen=True, slots=True)
class AssistantsShown:
    """Some assistants: what each is called, and how it stands. ``next_after`` asks for the others; ``calls`` are the
    clinic's."""

    org_id: UUID
    shown: tuple[tuple[str, Standing], ...]
    next_after: str | None
    is_first: bool
    is_closed: bool
    calls: OrgCalls


@dataclass(frozen=True, slots=True)
class ClinicShown:
    """Everything that is told of it on one page. ``next_before`` asks for older changes."""

    org_id: UUID
    name: str
    tier: str
    is_closed: bool
    coverage: Coverage
    assistants: AssistantsShown
    tools: tuple[ToolRow, ...]
    more_tools: int
    pins: Sequence[ToolPin]
    window: OrgWindow | None
    changes: tuple[ToolChange, ...]
    next_before: int | None


async def clinic_of(connection: Connection, moment: StateAsOf, after: str, before: int) -> ClinicShown:
    """As of the moment; the assistants above ``after``, the changes below ``before``."""
    org_id = moment.org_id
    changes = await changes_of(connection, org_id, before=before, limit=CHANGES_MAX)
    tools = await _tools(connection, moment)
    return ClinicShown(
        org_id,
        await name_of(connection, org_id),
        moment.state.tier,
        moment.state.closed,
        await coverage_of(connection, org_id),
        await assistants_of(connection, moment, after),
        tools[:TOOLS_MAX],
        max(0, len(tools) - TOOLS_MAX),
        await pins_of(connection, org_id, TOOLS_MAX),
        await window_of(connection, org_id),
        changes.changes if changes else (),
        changes.next_before if changes else None,
    )


async def assistants_of(connection: Connection, moment: StateAsOf, after: str) -> AssistantsShown:
    """Those above ``after``; a clinic that was deleted has none."""
    org_id, is_closed = moment.org_id, moment.state.closed
    rows = [] if is_closed else await assistants_after(connection, org_id, after, ASSISTANTS_MAX + 1)
    agents = [row.agent_id for row in rows[:ASSISTANTS_MAX]]
    names = await names_of(connection, [(org_id, agent) for agent in agents])
    shown = tuple((names[org_id, one.agent_id], one) for one in await standings(connection, moment, agents))
    next_after = agents[-1] if len(rows) > ASSISTANTS_MAX else None
    return AssistantsShown(org_id, shown, next_after, not after, is_closed, await calls_of(connection, org_id))


async def _tools(connection: Connection, moment: StateAsOf) -> tuple[ToolRow, ...]:
    """Of all tools that are published: those that the clinic has or is to have come first."""
    state = moment.state
    settings = {one.tool_name: one for one in await settings_at(connection, moment.org_id, moment.position)}
    rows = []
    for tool in (await wanted_at(connection, moment)).tools:
        ref, retired, setting = state.tools.get(tool.tool), state.retired.get(tool.tool), settings.get(tool.tool)
        at_vapi = ref or (retired.ref if retired else None)
        rows.append(
            ToolRow(
                tool.tool,
                ability(tool.tool),
                tool.version,
                tool.keeps,
                tool.why,
                at_vapi.definition_version if at_vapi else None,
                at_vapi.vapi_tool_id if at_vapi else None,
                retired.delete_at if retired and not ref else None,
                tuple(_notes(moment, tool.tool)),
                setting,
                setting.position if setting else 0,
            )
        )
    return tuple(sorted(rows, key=lambda row: row.wanted is None and row.present is None and not row.is_off))


def _notes(moment: StateAsOf, tool: str) -> list[str]:
    """What its owner says of the version that the clinic has, and what somebody did to it at Vapi."""
    ref, seen = moment.state.tools.get(tool), moment.state.drifted.get(tool)
    version = moment.fleet.hashes.get((tool, ref.definition_hash)) if ref else None
    notes = [version.note] if version and version.note else []
    if ref and seen and seen.vapi_tool_id == ref.vapi_tool_id:
        notes.append(drift_text(seen, is_left=False))
    return notes
