"""What must hold. Violations are collected with their time, so that a run tells its whole story."""

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

from tool_sync.domain.events import (
    AssistantSynced,
    AssistantSyncFailed,
    RolloutAborted,
    RolloutCompleted,
    RolloutExpired,
    RolloutRolledBack,
    RolloutStarted,
    SurplusFound,
    SyncAttemptFailed,
    ToolDeleted,
    ToolDeleteStarted,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolReinstated,
    ToolRetired,
    ToolUpdated,
    ToolUpdateStarted,
    ToolVanished,
)

Outcome = AssistantSynced | AssistantSyncFailed
TOLD = (
    ToolRegistrationStarted,
    ToolRegistered,
    ToolUpdateStarted,
    ToolUpdated,
    ToolRetired,
    ToolReinstated,
    RolloutStarted,
    RolloutCompleted,
    RolloutAborted,
    RolloutExpired,
    RolloutRolledBack,
)


@dataclass(slots=True)
class Checks:
    """``violations``: one sentence each. ``reached``: the branches that were taken, for the campaign."""

    violations: list[str] = field(default_factory=list)
    reached: Counter[str] = field(default_factory=Counter)
    surplus: int = 0
    asked: dict[UUID, str] = field(default_factory=dict)
    settled: dict[UUID, int] = field(default_factory=dict)
    sequences: dict[UUID, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    """By clinic and by rollout: the number of what was said of it last on the fleet's topic."""
    announced: dict[UUID, tuple[int | None, int]] = field(default_factory=dict)
    """By attempt: what the announcement of a tool's change said that it replaces, and its own version."""
    tools: dict[tuple[UUID, str], str] = field(default_factory=dict)
    """The id at Vapi of each clinic's tools, as the log has it."""
    retired: dict[tuple[UUID, str], str] = field(default_factory=dict)
    """The id of each clinic's retired tools of which no deletion has begun: the clinic may have them again."""
    newest_word: dict[tuple[UUID, str], Outcome] = field(default_factory=dict)
    """The newest outcome of each agent."""
    given_up: set[str] = field(default_factory=set)
    """After a restore: tools that the log says are to be swept. One may be made in their place."""
    doomed: dict[UUID, str] = field(default_factory=dict)
    """Tools whose deletion was announced, by its attempt, and may still land: their ids are never linked again, and one
    may be made in their place (ADR 16)."""
    surplus_noted: set[str] = field(default_factory=set)
    """Tools that the log has as surplus: nobody links them any more, and they are swept."""
    restores: int = 0

    def of_log(self) -> "Checks":
        """What is known from the log alone, to be kept beside a backup of it."""
        return Checks(
            settled=dict(self.settled),
            sequences=dict(self.sequences),
            told=dict(self.told),
            announced=dict(self.announced),
            tools=dict(self.tools),
            retired=dict(self.retired),
            newest_word=dict(self.newest_word),
            given_up=set(self.given_up),
            doomed=dict(self.doomed),
            surplus_noted=set(self.surplus_noted),
        )

    def set_back(self, known: "Checks") -> None:
        """The log was restored: what it says is what it said then. What was asked is still to be answered."""
        self.settled, self.sequences = dict(known.settled), dict(known.sequences)
        self.told, self.announced = dict(known.told), dict(known.announced)
        self.tools, self.retired, self.newest_word = dict(known.tools), dict(known.retired), dict(known.newest_word)
        self.given_up, self.doomed = set(known.given_up), dict(known.doomed)
        self.surplus_noted = set(known.surplus_noted)
        self.restores += 1

    def violated(self, at: float, what: str) -> None:
        """Note a violation."""
        self.violations.append(f"{at:9.3f} s: {what}")

    def tools_of(self, org_id: UUID) -> set[str]:
        """The ids of the tools that a clinic has, as the log has it."""
        return {vapi_tool_id for (org, _), vapi_tool_id in self.tools.items() if org == org_id}

    def settles(self, at: float, request_id: UUID) -> None:
        """A request gets its outcome."""
        self.settled[request_id] = self.settled.get(request_id, 0) + 1
        if request_id not in self.asked:
            self.violated(at, f"request {request_id} got an outcome and was never asked")
        elif self.settled[request_id] > 1:
            self.violated(
                at, f"request {request_id} of {self.asked[request_id]} got outcome {self.settled[request_id]}"
            )

    def holds(self, at: float, org_id: UUID, event: object) -> None:
        """Every `synced` names tools that its clinic has at that position of the log."""
        match event:
            case ToolRegistered() | ToolUpdated() | ToolReinstated():
                self.tools[org_id, event.name] = event.vapi_tool_id
                self.retired.pop((org_id, event.name), None)
            case ToolRetired() | ToolVanished() | ToolDeleted():
                self.tools.pop((org_id, event.name), None)
                if isinstance(event, ToolRetired):
                    self.retired[org_id, event.name] = event.vapi_tool_id
            case ToolDeleteStarted():
                self.retired.pop((org_id, event.name), None)
                self.doomed[event.attempt_id] = event.vapi_tool_id
            case ToolRegistrationStarted() if (org_id, event.name) in self.retired:
                self.violated(at, f"{org_id} has {self.retired[org_id, event.name]}, and another one is made")
            case SyncAttemptFailed(attempt_id=UUID() as attempt_id, end="refused" | "not_sent"):
                self.doomed.pop(attempt_id, None)
            case SurplusFound() if self.restores:
                self.given_up.add(event.vapi_tool_id)
            case SurplusFound():
                self.surplus_noted.add(event.vapi_tool_id)
            case AssistantSynced(tools=tools):
                for ref in tools:
                    if self.tools.get((org_id, ref.name)) != ref.vapi_tool_id:
                        self.violated(
                            at, f"{event.agent_id} is said to have {ref.vapi_tool_id}, and {org_id} has it not"
                        )

    def numbers(self, at: float, org_id: UUID, sequence: int) -> None:
        """An org's published event has this number."""
        before = self.sequences.get(org_id, 0)
        if sequence != before + 1:
            self.violated(at, f"org {org_id}: published {sequence} after {before}")
        self.sequences[org_id] = sequence

    def tells(self, at: float, key: str, event: object) -> None:
        """What is said on the fleet's topic of a clinic, or of a rollout, takes the next number; an answer says what
        its announcement said."""
        number = getattr(event, "fleet_sequence", None)
        if not isinstance(event, TOLD):
            if number is not None:
                self.violated(at, f"{key}: {type(event).__name__} is told, and should not be")
            return
        before = self.told.get(key, 0)
        if number != before + 1:
            self.violated(at, f"{key}: told {number} after {before} ({type(event).__name__})")
        self.told[key] = number or before
        match event:
            case ToolRegistrationStarted() | ToolUpdateStarted():
                replaced = event.version_before if isinstance(event, ToolUpdateStarted) else None
                self.announced[event.attempt_id] = (replaced, event.definition_version)
                self.reached[f"told because of {event.cause}"] += 1
            case ToolRegistered() | ToolUpdated():
                replaced = event.version_before if isinstance(event, ToolUpdated) else None
                if self.announced.get(event.attempt_id) != (replaced, event.definition_version):
                    self.violated(at, f"{key}: {event.name} is told otherwise than it was announced")
