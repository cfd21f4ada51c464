"""What is to be checked about a clinic, and what the log knows of its assistants. Reads the database only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain import reach
from tool_sync.domain.events import ToolDriftSeen, ToolRef
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.plan.tools import left_drift_of, target_of
from tool_sync.domain.reach import Obstacle
from tool_sync.domain.subject import tool_subject
from tool_sync.domain.toolset import Toolset
from tool_sync.domain.wanted import WantedTool, wanted_of
from tool_sync.publishing.overlay import Texts
from tool_sync.queries.as_of import fleet_of, state_as_of
from tool_sync.queries.assistants import assistants_present
from tool_sync.queries.explain_tool import drift_text
from tool_sync.queries.gaps import Gap, gaps_of
from tool_sync.sync import texts
from tool_sync.sync.rows import split_of
from zerotouch_contracts.errors import entry_of

ASSISTANTS_MAX: Final = 1000

NOT_THERE: Final = "it is wanted, but this clinic does not have it at Vapi yet"
NOT_NAMED: Final = "the assistant does not name it"
OLDER_ID: Final = "the newest sync named another tool of this name"
CHANGED: Final = "somebody changed it at Vapi; tool-sync will restore it"
NEVER_SYNCED: Final = "it was saved, and no sync of it has ended yet"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a caller does not reach ``tools``. ``code`` is of the catalogue, null where ``what`` says it all."""

    code: str | None
    tools: tuple[str, ...]
    vapi_tool_ids: tuple[str, ...] = ()
    what: str | None = None

    @property
    def said(self) -> str:
        """Which tools, and what is wrong."""
        names, entry = f"{', '.join(self.tools)}: " if self.tools else "", entry_of(self.code)
        return names + (self.what or f"{self.code} {entry.title if entry else ''}".strip())

    @classmethod
    def of(cls, obstacle: Obstacle) -> "Trouble":
        """An obstacle in an assistant's document."""
        return cls(obstacle.code, obstacle.tools, obstacle.vapi_tool_ids)


@dataclass(frozen=True, slots=True)
class KnownAssistant:
    """An assistant as its row has it. ``trouble`` is what the log knows to stand in the way."""

    agent_id: str
    assistant_id: str | None
    split: tuple[str, ...] | None
    linked_version: str | None
    trouble: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True)
class CheckedClinic:
    """A clinic now. ``wanted``: what its assistants should have; where nothing is, ``none_wanted`` is the code why.

    ``target`` are those of them that it has at Vapi. ``more``: it has more assistants than are listed.
    """

    org_id: UUID
    position: int
    state: Toolset
    fleet: Fleet
    wanted: tuple[WantedTool, ...]
    none_wanted: str | None
    target: tuple[ToolRef, ...]
    assistants: tuple[KnownAssistant, ...]
    more: bool
    texts: Texts = field(default_factory=dict)
    """Its own words for its tools, by hash."""
    left: tuple[str, ...] = ()
    """What somebody changed of its tools at Vapi and is left so, a sentence each."""


async def clinic_of(connection: Connection, org_id: UUID, agent_id: str | None = None) -> CheckedClinic:
    """The clinic with all its assistants, or one of them. Raises `BeforeFirstEvent` and `UnknownEvent`."""
    moment = await state_as_of(connection, org_id, await fleet_of(connection))
    state = moment.state
    of_clinic = wanted_of(state, moment.fleet, org_id, moment.asked_at)
    wanted = of_clinic.tools
    target = target_of(state, wanted)
    rows = await assistants_present(connection, org_id, agent_id, ASSISTANTS_MAX + 1)
    assistants = tuple(
        KnownAssistant(
            row.agent_id,
            row.assistant_id,
            split_of(row.split, row.assistant_id),
            row.linked_version,
            known_trouble(row.outcome, row.code, row.synced, wanted, state),
        )
        for row in rows[:ASSISTANTS_MAX]
    )
    hashes = [part.hash for overlay in state.overlays.values() for part in overlay]
    none_wanted = "TS-403" if state.closed else of_clinic.none_wanted
    return CheckedClinic(
        org_id,
        moment.position,
        state,
        moment.fleet,
        wanted,
        none_wanted,
        target,
        assistants,
        more=len(rows) > ASSISTANTS_MAX,
        texts=await texts.read(connection, org_id, hashes) if hashes else {},
        left=tuple(drift_text(drift, is_left=True) for drift in left_drift_of(state, wanted)),
    )


def known_trouble(
    outcome: str | None, code: str | None, synced: Sequence[ToolRef], wanted: Sequence[WantedTool], state: Toolset
) -> tuple[Trouble, ...]:
    """What the log knows to stand between an assistant's callers and what is wanted now; () where nothing does."""
    names = tuple(tool.name for tool in wanted)
    if not names:
        return ()
    has = {name: state.tools[name].vapi_tool_id if name in state.tools else None for name in names}
    gaps = gaps_of(outcome, {ref.name: ref.vapi_tool_id for ref in synced}, has)
    # A failed outcome says all of the tools that are there by its code; a tool that somebody changed is that alone.
    told = [gap for gap in gaps if not gap.tool or gap.kind == "not there" or outcome != "failed"]
    # Words that are left as somebody has changed them keep nobody from booking.
    left = {drift.name for drift in left_drift_of(state, wanted)}
    drifted = {name: one for name, one in state.drifted.items() if has.get(name) is not None and name not in left}
    found = [_of_gap(gap, code, names, state) for gap in told if gap.tool not in drifted]
    return (*found, *map(_of_drift, drifted.values() if outcome is not None else ()))


def _of_gap(gap: Gap, code: str | None, names: tuple[str, ...], state: Toolset) -> Trouble:
    match gap.kind:
        case "never synced":
            return Trouble(None, names, what=NEVER_SYNCED)
        case "failed":
            return Trouble(code, names)
        case "not there":
            failure = state.failures.get(tool_subject(gap.tool))
            what = None if failure else NOT_THERE
            return Trouble(failure.code if failure else None, (gap.tool,), what=what)
        case "not named":
            return Trouble(None, (gap.tool,), what=NOT_NAMED)
        case "another id":
            return Trouble(None, (gap.tool,), (gap.vapi_tool_id,), OLDER_ID)
        case _:
            assert_never(gap.kind)


def _of_drift(drift: ToolDriftSeen) -> Trouble:
    code, what = (reach.DANGLING_CODE, None) if drift.gone else (None, CHANGED)
    return Trouble(code, (drift.name,), (drift.vapi_tool_id,), what)
