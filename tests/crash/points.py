"""The catalogue: which ports a flow passes, and what must be prepared for it to pass them."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.crash.flows import Flow
from tests.faults.gate import Action, Point, When

_LOG_PORTS: Final = ("append SyncRequested", "load", "rows", "claim", "release", "getmany", "commit", "send", "advance")
_OUTBOX: Final = ("outbox page", "send", "outbox delete")

TOOL_SYNC: Final[dict[Flow, tuple[str, ...]]] = {
    "create": (
        *_LOG_PORTS, "append OrgRegistered", "append ToolRegistrationStarted", "append ToolRegistered",
        "append AssistantLinkStarted", "append AssistantLinked", "append AssistantSynced", "renew",
        "POST /tool", "GET /assistant/{id}", "PATCH /assistant/{id}", "append SyncAttemptFailed", "GET /tool",
    ),
    "update": (*_LOG_PORTS, "append AssistantSynced", "GET /assistant/{id}"),
    "relink": (
        *_LOG_PORTS, "append AssistantLinkStarted", "append AssistantLinked",
        "append AssistantSynced", "renew", "GET /assistant/{id}", "PATCH /assistant/{id}", "append SyncAttemptFailed",
    ),
    "rollout": (
        "append ToolUpdateStarted", "append ToolUpdated", "PATCH /tool/{id}", "GET /tool/{id}", "load", "claim",
        "release", "append SyncAttemptFailed", "take turn", "settle", "feeder page", "make due", "read back",
        "GET /tool", "append RolloutStageOpened", "append RolloutCompleted",
    ),
    "takeback": (
        "append ToolOrdered", "append ToolRegistrationStarted", "append ToolRegistered", "append AssistantLinked",
        "append AssistantSynced", "append ToolRetired", "append ToolDeleted", "POST /tool", "PATCH /assistant/{id}",
        "DELETE /tool/{id}", "settle",
    ),
    "spared": (
        "append ToolPinExpired", "append ToolUpdateStarted", "append ToolUpdated", "PATCH /tool/{id}", "claim",
        "release", "feeder page", "settle",
    ),
    "sql": ("append AssistantSynced",),
    "exchange": (
        "append AssistantLinkStarted", "append AssistantLinked", "append AssistantSynced", "GET /assistant/{id}",
        "PATCH /assistant/{id}",
    ),
}  # fmt: skip

ASSISTANT_API: Final[dict[Flow, tuple[str, ...]]] = {
    "create": (
        "commit save", "claim", "store begin_attempt", "store answered", "POST /assistant", *_OUTBOX, "getmany",
        "commit outcomes", "commit", "store unknown", "GET /assistant", "store adopted", "store unchanged",
    ),
    "update": (
        "commit save", "claim", "store begin_attempt", "store answered", "GET /assistant/{id}",
        "PATCH /assistant/{id}", *_OUTBOX, "commit outcomes", "store unknown", "store settled",
    ),
    "relink": ("commit save", "claim", "store unchanged", "GET /assistant/{id}", *_OUTBOX),
    "rollout": (),
    "takeback": (),
    "spared": (),
    "sql": ("announce", "claim", "store answered", "outbox delete"),
    "exchange": ("commit save", "claim", "store answered", "GET /assistant/{id}", "PATCH /assistant/{id}"),
}  # fmt: skip

OPERATOR: Final[dict[Flow, tuple[str, ...]]] = {
    "rollout": (
        "append BlueprintPublished", "append RolloutPlanned", "append RolloutStarted", "append RolloutPaused",
        "append RolloutResumed", "load",
    ),
    "takeback": ("append RolloutStarted", "append RolloutRolledBack"),
    "spared": (
        "append ToolPinned", "append ToolUnpinned", "append ChangeWindowSet", "append ChangeWindowRemoved",
    ),
}  # fmt: skip
"""Of the commands that a person types."""

COMMANDS: Final = "tool_sync_command"

LOST_ANSWER: Final[dict[tuple[str, Flow, str], str]] = {
    ("tool_sync", "create", "append SyncAttemptFailed"): "POST /tool",
    ("tool_sync", "create", "GET /tool"): "POST /tool",
    ("tool_sync", "relink", "append SyncAttemptFailed"): "PATCH /assistant/{id}",
    ("tool_sync", "rollout", "append SyncAttemptFailed"): "PATCH /tool/{id}",
    ("tool_sync", "rollout", "GET /tool/{id}"): "PATCH /tool/{id}",
    ("assistant_api", "create", "store unknown"): "POST /assistant",
    ("assistant_api", "create", "GET /assistant"): "POST /assistant",
    ("assistant_api", "create", "store adopted"): "POST /assistant",
    ("assistant_api", "create", "store unchanged"): "POST /assistant",
    ("assistant_api", "update", "store unknown"): "PATCH /assistant/{id}",
    ("assistant_api", "update", "store settled"): "PATCH /assistant/{id}",
}
"""Ports that are passed only where the answer of this route was lost: it is executed, and its caller cut off."""

SLOW: Final = frozenset({"renew"})
"""Ports that are passed only where Vapi takes its time."""

POLLED: Final = frozenset({"claim", "getmany", "renew", "take turn"})
"""Ports that are passed all the time: armed at the moment the flow begins."""

NEVER: Final[frozenset[tuple[str, When, Action]]] = frozenset({("getmany", "after", "CUT")})
"""What cannot happen: the records have come already, out of this process's memory."""


@dataclass(frozen=True, slots=True)
class CrashRun:
    """One process that fails at one point in one flow."""

    service: str
    flow: Flow
    point: Point

    @property
    def title(self) -> str:
        """How a run is called in reports, and by `--match`."""
        point = self.point
        return f"{self.service} {self.flow} {point.action} {point.when} {point.port} #{point.nth}"

    @property
    def lost_answer(self) -> str | None:
        """The route whose answers are lost in this run."""
        return LOST_ANSWER.get((self.service, self.flow, self.point.port))


def catalogue(seed: int) -> list[CrashRun]:
    """Every run that there is, in the order of a seed: one at each port of each flow, then the next at each."""
    dice = random.Random(seed)
    by_port: dict[tuple[str, Flow, str], list[CrashRun]] = defaultdict(list)
    for run in _all():
        by_port[run.service, run.flow, run.point.port].append(run)
    for mine in by_port.values():
        dice.shuffle(mine)
    runs: list[CrashRun] = []
    while left := [mine for mine in by_port.values() if mine]:
        dice.shuffle(left)
        runs += [mine.pop() for mine in left]
    return runs


def _all() -> Iterator[CrashRun]:
    for service, ports in (("tool_sync", TOOL_SYNC), ("assistant_api", ASSISTANT_API), (COMMANDS, OPERATOR)):
        for flow, names in ports.items():
            for port in names:
                for when in _WHEN:
                    for action in _ACTIONS:
                        if (port, when, action) not in NEVER:
                            yield CrashRun(service, flow, Point(port, when, action))
    # In the middle of a page of records, and at a later transaction of the same kind.
    for action in _ACTIONS:
        yield CrashRun("tool_sync", "create", Point("send", "after", action, nth=2))
        yield CrashRun("assistant_api", "create", Point("send", "after", action, nth=3))
        yield CrashRun("tool_sync", "create", Point("append", "after", action, nth=3))
        yield CrashRun("tool_sync", "create", Point("append", "before", action, nth=4))


_WHEN: Final[tuple[When, ...]] = ("before", "after")
_ACTIONS: Final[tuple[Action, ...]] = ("KILL", "STOP", "CUT")
