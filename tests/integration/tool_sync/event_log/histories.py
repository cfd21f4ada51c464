"""Random histories: everything that may be written of two orgs and two tools, in orders that may happen."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4, uuid5

from hypothesis import strategies as st

from tool_sync.domain import events as e
from tool_sync.log import AppendRequest, NewEvent, org_stream, toolset_stream

from ..ordering import fleet_stream, version
from .making import META, arrived, save

Happened = tuple[int, e.Event]
"""An event, and of which org it is, where it is of one."""

AGENTS = st.sampled_from(["agent-1", "agent-2"])
ASSISTANTS = st.sampled_from(["assistant-1", "assistant-2"])
HASHES = st.sampled_from(["a" * 64, "b" * 64, "c" * 64])
NAMES = st.sampled_from(["book", "cancel"])
NUMBERS = st.integers(1, 12)
TOOLS = st.lists(st.builds(e.ToolRef, NAMES, st.just("tool-1"), NUMBERS, HASHES), max_size=2).map(tuple)
IDS, ACCOUNT, TIERS = st.uuids(), st.just("platform"), st.sampled_from(["basic", "premium"])
SOMETIME = st.just(datetime(2026, 1, 31, 12, 30, 0, 250_000, tzinfo=UTC))
AT = st.none() | SOMETIME
NONE = st.none()
REASONS = NONE | st.just("being renovated")
TOOL_OF: Final = {"r-1": "book", "r-2": "book", "r-3": "cancel"}
ROLLOUTS = st.sampled_from(sorted(TOOL_OF))
ORDERS = NONE | ROLLOUTS

OVERLAYS = st.lists(
    st.builds(e.CustomPart, st.sampled_from(["description_suffix", "messages"]), HASHES, NUMBERS),
    max_size=2,
    unique_by=lambda one: one.part,
).map(tuple)

ARRIVES = st.one_of(
    st.builds(e.OrgRegistered, TIERS),
    st.builds(e.OrgTierChanged, TIERS),
    st.builds(e.ToolSettingChanged, NAMES, st.booleans(), REASONS),
    st.builds(e.ToolSettingRemoved, NAMES, REASONS),
    st.builds(e.ToolCustomized, NAMES, st.booleans(), REASONS, OVERLAYS),
    st.builds(e.ToolPinned, NAMES, st.integers(1, 3), HASHES, TIERS, SOMETIME, st.just("why")),
    st.builds(e.ToolUnpinned, NAMES, st.just("why")),
    st.builds(e.ToolOrdered, NAMES, ORDERS, st.booleans()),
    st.builds(e.RetryRequested, st.none() | AGENTS),
    st.builds(e.SyncRequested, IDS, AGENTS, ASSISTANTS, NUMBERS, HASHES, st.sampled_from(["save", "auto_sync"]), NONE),
    st.builds(e.SyncRequested, IDS, AGENTS, ASSISTANTS, NUMBERS, HASHES, st.just("repair"), NONE),
    st.builds(e.RequestUnreadable, IDS, NONE),
    st.builds(e.AssistantRemoved, AGENTS, NONE | ASSISTANTS, NONE | NUMBERS),
    st.builds(e.TrafficSplitSeen, AGENTS, ASSISTANTS, NONE | st.just(("v1", "v2"))),
    st.builds(e.AssistantDriftSeen, AGENTS, ASSISTANTS, st.booleans()),
    st.builds(
        e.ToolDriftSeen,
        ACCOUNT,
        NAMES,
        st.just("tool-1"),
        st.booleans(),
        st.sampled_from([(), ("description",), ("messages", "server")]),
        st.sampled_from([None, "f" * 64]),
    ),
    st.builds(e.ToolDriftEnded, ACCOUNT, NAMES, st.just("tool-1")),
    st.builds(e.OrgClosed),
)
IS_DONE = st.one_of(
    st.builds(e.ToolRegistered, IDS, ACCOUNT, NAMES, st.just("tool-1"), NUMBERS, HASHES, HASHES, st.booleans(), NONE,
              ORDERS),
    st.builds(e.ToolUpdated, IDS, ACCOUNT, NAMES, st.just("tool-2"), NUMBERS, HASHES, HASHES, NONE, ORDERS,
              overlay=OVERLAYS),
    st.builds(e.ToolTextLost, NAMES, st.lists(HASHES, min_size=1, max_size=2).map(tuple), NONE | NUMBERS),
    st.builds(e.SyncAttemptFailed, st.sampled_from(["tool:book", "tool:cancel", "agent:agent-1"]), NONE,
              st.just("refused"), st.sampled_from(["TS-301", "TS-102"]), NUMBERS, AT, NONE | HASHES, st.booleans()),
    st.builds(e.ToolVanished, ACCOUNT, NAMES, st.just("tool-1"), NUMBERS, HASHES),
    st.builds(e.ToolRetired, ACCOUNT, NAMES, st.just("tool-1"), NUMBERS, HASHES, st.just("order"), SOMETIME, ORDERS,
              NONE | NUMBERS),
    st.builds(e.ToolReinstated, ACCOUNT, NAMES, st.just("tool-1"), NUMBERS, HASHES),
    st.builds(e.ToolDeleteStarted, IDS, ACCOUNT, NAMES, st.just("tool-1"), SOMETIME),
    st.builds(e.ToolDeleted, IDS, ACCOUNT, NAMES, st.just("tool-1"), NUMBERS, HASHES),
    st.builds(e.SurplusFound, ACCOUNT, NAMES, st.just("tool-3"), AT),
    st.builds(e.SurplusDeleteStarted, IDS, ACCOUNT, NAMES, st.just("tool-3")),
    st.builds(e.SurplusDeleted, IDS, ACCOUNT, NAMES, st.just("tool-3")),
    st.builds(e.SweepStarted, st.just(("tool-1",))),
    st.builds(e.AssistantLinkStarted, IDS, ACCOUNT, AGENTS, ASSISTANTS, NUMBERS, HASHES, TOOLS),
    st.builds(e.AssistantLinked, IDS, ACCOUNT, AGENTS, ASSISTANTS, NUMBERS, HASHES, HASHES, HASHES, TOOLS,
              NONE | st.just("v3")),
    st.builds(e.AssistantSynced, AGENTS, ASSISTANTS, NUMBERS, ACCOUNT, TOOLS, st.just(()), NUMBERS, NONE, NONE,
              NONE | st.just("TS-501")),
    st.builds(e.AssistantSyncFailed, NONE | AGENTS, NONE, NONE | NUMBERS, ACCOUNT, TOOLS, st.just(()),
              st.just("TS-001"), st.just(()), NUMBERS, AT, NUMBERS),
    st.builds(e.AssistantDiverged, AGENTS, ASSISTANTS, NUMBERS, HASHES, NUMBERS),
    st.builds(e.DriftDetected, AGENTS, ASSISTANTS, HASHES),
    st.builds(e.OrgSettled, NUMBERS),
    st.builds(e.ToolPinExpired, NAMES, NUMBERS),
)  # fmt: skip
NEWEST_PIN: Final = -1
"""Stands for the position of the newest pin of the org, where the appends of a history are one after the other."""
VERSIONS = st.integers(1, 3)
STAGES = st.just((e.RolloutStage("few", 100, bake_seconds=60), e.RolloutStage("all", 10_000)))
COUNTS = st.just(e.PlanCounts(update=1, add=2, remove=0, already=3, left=4, calls=5))
OF_ROLLOUT = st.one_of(
    st.builds(e.RolloutPlanned, ROLLOUTS, NAMES, NONE | VERSIONS, STAGES, COUNTS, NUMBERS, st.just("9c4e71d2")),
    st.builds(e.RolloutStarted, ROLLOUTS, NAMES, NONE | VERSIONS, STAGES, st.just("why"), AT),
    st.builds(e.RolloutStageOpened, ROLLOUTS, NAMES, st.just(1), st.just("gate")),
    st.builds(e.RolloutPaused, ROLLOUTS, NAMES, st.just("why")),
    st.builds(e.RolloutResumed, ROLLOUTS, NAMES, st.just("why")),
    st.builds(e.RolloutCompleted, ROLLOUTS, NAMES, st.just("promoted"), REASONS),
    st.builds(e.RolloutAborted, ROLLOUTS, NAMES, st.just("why")),
    st.builds(e.RolloutExpired, ROLLOUTS, NAMES),
    st.builds(e.RolloutRolledBack, ROLLOUTS, NAMES, st.just("why")),
)
# A number may be published again, with another document: what is ordered then is the newest.
PUBLISHED = st.builds(version, NAMES, VERSIONS, TIERS, HASHES, contract=st.integers(0, 2))
OLD_PUBLISHED = st.builds(e.BlueprintPublished, NAMES, VERSIONS, TIERS, st.booleans(), HASHES)
DOCUMENTS = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": NAMES, "description": st.sampled_from(["a", "b"])}),
        "server": st.fixed_dictionaries({"url": st.just("https://a.example")}, optional={"timeoutSeconds": NUMBERS}),
    },
    optional={
        "messages": st.just([{"type": "request-start", "content": "One moment."}]),
        "parameters": st.dictionaries(
            st.sampled_from(["organization_id", "definition_version", "contract", "region"]),
            st.integers(-1, 3) | st.sampled_from(["1", 1.5, None]),
        ).map(lambda values: [{"key": key, "value": value} for key, value in values.items()]),
    },
)
WHOLE = st.builds(
    e.BlueprintPublished, NAMES, VERSIONS, TIERS, st.booleans(), HASHES, DOCUMENTS, st.none() | st.integers(0, 2)
)
OF_BLUEPRINT = st.one_of(
    PUBLISHED,
    WHOLE,
    OLD_PUBLISHED,
    st.builds(e.VersionWithdrawn, NAMES, VERSIONS, st.just("why")),
    st.builds(e.ToolHalted, NAMES, st.just("why")),
    st.builds(e.DriftPolicySet, NAMES, st.sampled_from(["repair", "report"]), st.just("why")),
    st.builds(e.ToolResumed, NAMES, st.just("why")),
    st.builds(e.ContractsAnswered, st.lists(st.builds(e.AnsweredContract, NAMES, VERSIONS), max_size=2).map(tuple)),
)
OF_NO_ROLLOUT = (
    e.BlueprintPublished | e.VersionWithdrawn | e.ToolHalted | e.ToolResumed | e.ContractsAnswered | e.DriftPolicySet
)
ORGS = st.integers(0, 1)
ONE = st.tuples(ORGS, ARRIVES) | st.tuples(ORGS, IS_DONE) | st.tuples(ORGS, OF_BLUEPRINT | OF_ROLLOUT)


def run_of(rollout_id: str, number: int, ends: int, halts: int) -> list[Happened]:
    """A version that is published and ordered, as much of its rollout's end, and of a halt: alone they seldom fit."""
    name = TOOL_OF[rollout_id]
    end = (e.RolloutCompleted(rollout_id, name, "gate"), e.RolloutRolledBack(rollout_id, name, "why"))
    halt = (e.ToolHalted(name, "why"), e.ToolResumed(name, "why"))
    begin = (
        version(name, number),
        e.RolloutStarted(rollout_id, name, number, (e.RolloutStage("all", 10_000),), "why", None),
    )
    return [(0, event) for event in (*begin, *end[:ends], *halt[:halts])]


RUN = st.builds(run_of, ROLLOUTS, VERSIONS, st.integers(0, 2), st.integers(0, 2))
PINNED = e.ToolPinned("book", 1, "a" * 64, "basic", datetime(2026, 1, 31, tzinfo=UTC), "why")
OF_PINS = st.lists(
    st.sampled_from([PINNED, e.ToolUnpinned("book", "why"), e.OrgClosed(), e.ToolPinExpired("book", NEWEST_PIN)]).map(
        lambda event: (0, event)
    ),
    min_size=2,
    max_size=6,
)
REFUSED = st.builds(e.SyncAttemptFailed, st.just("tool:book"), NONE, st.just("refused"), st.just("TS-301"), NUMBERS,
                    NONE, HASHES, st.booleans())  # fmt: skip
TAKEN = st.builds(e.ToolRegistered, IDS, ACCOUNT, st.just("book"), st.just("tool-1"), NUMBERS, HASHES, HASHES,
                  st.booleans(), NONE, ORDERS)  # fmt: skip
REFUSALS = st.lists(st.tuples(st.just(0), REFUSED) | st.tuples(st.just(0), TAKEN), min_size=1, max_size=3)
HISTORY = st.lists(st.lists(ONE, min_size=1, max_size=12) | RUN | REFUSALS | OF_PINS, min_size=1, max_size=8).map(
    lambda parts: [one for part in parts for one in part]
)
FINAL: Final = (e.RolloutCompleted, e.RolloutAborted, e.RolloutExpired)


class Rollouts:
    """What may come next of each rollout, as its commands see to: started once, of a version that was published."""

    def __init__(self) -> None:
        self._published: set[tuple[str, int | None]] = {("book", None), ("cancel", None)}
        self._newest: dict[str, e.FleetEvent] = {}

    def may_happen(self, event: e.FleetEvent) -> bool:
        """Whether the event may be written now; it is taken for written."""
        if isinstance(event, e.BlueprintPublished):
            self._published.add((event.name, event.version))
        if isinstance(event, OF_NO_ROLLOUT):
            return True
        before = self._newest.get(event.rollout_id)
        if not self._follows(event, before):
            return False
        self._newest[event.rollout_id] = event
        return True

    def _follows(self, event: e.FleetEvent, before: e.FleetEvent | None) -> bool:
        match event:
            case e.RolloutPlanned():
                return before is None
            case e.RolloutStarted(tool=name, version=number):
                is_first = before is None or isinstance(before, e.RolloutPlanned)
                return is_first and (name, number) in self._published
            case e.RolloutRolledBack():
                return before is not None and not isinstance(before, e.RolloutPlanned | e.RolloutRolledBack)
            case _:
                return before is not None and not isinstance(before, (e.RolloutPlanned, e.RolloutRolledBack, *FINAL))


def requests(salt: UUID, history: list[Happened], after: int) -> list[AppendRequest]:
    """One for each event; every org is registered by an event that arrives, as intake does. Rollouts are new ones.

    ``after``: where the log ends now, and these begin.
    """
    orgs, rollouts = [uuid5(salt, str(n)) for n in range(2)], Rollouts()
    pins: dict[tuple[int, str], int] = {}
    made = [arrived(org_id, save()) for org_id in orgs]
    for n, event in history:
        org_id: UUID | None = orgs[n]
        if isinstance(event, e.FleetEvent):
            event = _of_its_tool(event, salt)
            if not rollouts.may_happen(event):
                continue
            stream, org_id = fleet_stream(event), None
        else:
            if isinstance(event, e.ToolPinned):
                pins[n, event.name] = after + len(made) + 1
            if isinstance(event, e.ToolPinExpired) and event.pinned_at == NEWEST_PIN:
                event = replace(event, pinned_at=pins.get((n, event.name), 0))
            stream = org_stream(orgs[n]) if isinstance(event, e.OrgEvent) else toolset_stream(orgs[n])
        made.append(AppendRequest(stream, org_id, None, (NewEvent(uuid4(), event),), META))
    return made


def _of_its_tool(event: e.FleetEvent, salt: UUID) -> e.FleetEvent:
    if isinstance(event, OF_NO_ROLLOUT):
        return event
    return replace(event, rollout_id=f"{event.rollout_id}-{salt}", tool=TOOL_OF[event.rollout_id])
