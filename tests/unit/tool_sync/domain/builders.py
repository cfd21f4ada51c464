"""Words for the tests of the domain: a log by hand, events with everything filled in, and plans at a time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tool_sync.domain.events import (
    AssistantLinked,
    AssistantLinkStarted,
    Event,
    SyncAttemptFailed,
    SyncRequested,
    ToolRef,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolUpdateStarted,
)
from tool_sync.domain.evolve import evolve
from tool_sync.domain.plan import next_steps
from tool_sync.domain.plan.situation import Policy, RunProgress, Situation
from tool_sync.domain.plan.steps import Plan
from tool_sync.domain.toolset import Assistant, Recorded, Toolset
from tool_sync.domain.wanted import Wanted, WantedTool

T0 = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

ACCOUNT = "platform"

POLICY = Policy(
    settle=timedelta(seconds=20),
    give_up=timedelta(minutes=10),
    look_again=timedelta(minutes=15),
    diverged_look=timedelta(seconds=5),
    diverged_give_up=timedelta(minutes=8),
    retry_seconds_base=1,
    retry_seconds_max=300,
)

BOOK = WantedTool("book", 1, "hash-book-1")

CANCEL = WantedTool("cancel", 1, "hash-cancel-1")


def after(seconds: float) -> datetime:
    """So many seconds after the first event."""
    return T0 + timedelta(seconds=seconds)


def uid(n: int) -> UUID:
    return UUID(int=n)


def given(*events: Event, at: float = 0) -> Toolset:
    """The state after these events, at positions 1, 2, 3 …, all recorded at the same time."""
    state = Toolset()
    for event in events:
        state = evolve(state, Recorded(state.position + 1, after(at), event))
    return state


def then(state: Toolset, *events: Event, at: float = 0) -> Toolset:
    """The state after further events."""
    for event in events:
        state = evolve(state, Recorded(state.position + 1, after(at), event))
    return state


def asked(n: int = 1, agent_id: str = "a", revision: int = 1) -> SyncRequested:
    """Request ``n``."""
    return SyncRequested(uid(n), agent_id, f"vapi-{agent_id}", revision, f"model-{revision}", "save", None)


def ref(tool: WantedTool = BOOK, tool_id: str = "t-1") -> ToolRef:
    return ToolRef(tool.name, tool_id, tool.definition_version, tool.definition_hash)


def registering(attempt: int = 100, tool: WantedTool = BOOK) -> ToolRegistrationStarted:
    return ToolRegistrationStarted(uid(attempt), ACCOUNT, tool.name, tool.definition_version, tool.definition_hash)


def registered(
    attempt: int = 100, tool: WantedTool = BOOK, tool_id: str = "t-1", *, adopted: bool = False
) -> ToolRegistered:
    return ToolRegistered(
        uid(attempt), ACCOUNT, tool.name, tool_id, tool.definition_version, tool.definition_hash, "answer", adopted
    )


def updating(attempt: int = 101, tool: WantedTool = BOOK, tool_id: str = "t-1") -> ToolUpdateStarted:
    return ToolUpdateStarted(uid(attempt), ACCOUNT, tool.name, tool_id, tool.definition_version, tool.definition_hash)


def linking(attempt: int = 200, agent_id: str = "a", tools: tuple[ToolRef, ...] | None = None) -> AssistantLinkStarted:
    tools = (ref(),) if tools is None else tools
    return AssistantLinkStarted(
        attempt_id=uid(attempt),
        account=ACCOUNT,
        agent_id=agent_id,
        assistant_id=f"vapi-{agent_id}",
        revision=1,
        base_hash="model-1",
        tools=tools,
    )


def linked(attempt: int = 200, agent_id: str = "a", tools: tuple[ToolRef, ...] | None = None) -> AssistantLinked:
    tools = (ref(),) if tools is None else tools
    return AssistantLinked(
        attempt_id=uid(attempt),
        account=ACCOUNT,
        agent_id=agent_id,
        assistant_id=f"vapi-{agent_id}",
        revision=1,
        base_hash="model-1",
        model_hash="model-1",
        answer_hash="answer",
        tools=tools,
    )


def failed(subject: str, **fields: Any) -> SyncAttemptFailed:
    """A failure; a read that is to be tried again in 10 s unless the fields say otherwise."""
    defaults: dict[str, Any] = {
        "attempt_id": None,
        "end": "refused",
        "code": "TS-102",
        "failures": 1,
        "retry_at": after(10),
        "definition_hash": None,
    }
    return SyncAttemptFailed(subject=subject, **{**defaults, **fields})


def assistant(agent_id: str = "a", **fields: Any) -> Assistant:
    return Assistant(**{"agent_id": agent_id, "assistant_id": f"vapi-{agent_id}", "revision": 1, **fields})


def plan(
    state: Toolset,
    *assistants: Assistant,
    at: float = 0,
    wanted: tuple[WantedTool, ...] = (BOOK,),
    progress: RunProgress | None = None,
) -> Plan:
    """What is to be done ``at`` seconds; assistant ``a`` where none is given."""
    rows = {row.agent_id: row for row in assistants or (assistant(),)}
    return next_steps(Situation(state, rows, Wanted(wanted), after(at), POLICY, progress or RunProgress(), ACCOUNT))
