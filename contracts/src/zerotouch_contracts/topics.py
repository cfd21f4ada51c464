"""The topics, and the rules that hold for all of them.

- Created by deploy, never by a client: a missing topic is an error, not something to make on the way.
- The key of every record is the org id in lower-case text form, so one org's records keep their order. Contracts, the
  blueprint and heads are about no org: their keys are the process that announces them, the tool, and the log. The
  beginning and end of a rollout have the rollout's id; the name of an agent has the org's and the agent's.
- The number of partitions is fixed at creation: changing it would move keys and break that order.
- Infinite retention (but for tool calls, erasures and contracts) and never compacted (but for contracts, the
  blueprint, names and accounts): a subscriber can rebuild from the topic, and a late duplicate of a zombie relay must
  not replace a newer record. Where one might do that to a name or an account, assistant-api finds it (its `relay`).
"""

from dataclasses import dataclass, field
from typing import Final

PARTITIONS_DEFAULT: Final = 12


def durability(replication_factor: int) -> dict[str, str]:
    """What deploy sets besides, so that a broker that is lost takes no record with it.

    All replicas but one have a record before it counts as sent, and none that lags becomes the leader.
    """
    return {"min.insync.replicas": str(max(1, replication_factor - 1)), UNCLEAN_ELECTION: "false"}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as deploy creates it; ``configs`` are Kafka topic settings."""

    name: str
    partitions: int = PARTITIONS_DEFAULT
    configs: dict[str, str] = field(default_factory=dict)


UNCLEAN_ELECTION: Final = "unclean.leader.election.enable"
_KEEP_FOR_EVER: Final = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}

ASSISTANTS: Final = Topic("assistants.v1", configs=dict(_KEEP_FOR_EVER))
"""What assistant-api says: organizations and assistants were saved or deleted."""

OUTCOMES: Final = Topic("tool-sync.outcomes.v1", configs=dict(_KEEP_FOR_EVER))
"""What tool-sync says: the outcome of every save, and every later change that no save asked for."""

FLEET: Final = Topic("tool-sync.fleet.v1", configs=dict(_KEEP_FOR_EVER))
"""What tool-sync says of tools: each change of a clinic's, and the beginning and end of each rollout."""

TOOL_CALLS: Final = Topic(
    "tool-calls.v1", configs={"retention.ms": str(7 * 24 * 3600 * 1000), "cleanup.policy": "delete"}
)
"""That a call of a tool was handled, without its content; kept for 7 days."""

ERASURES_KEEP_DAYS: Final = 1095
ERASURES: Final = Topic(
    "erasures.v1",
    configs={"retention.ms": str(ERASURES_KEEP_DAYS * 24 * 3600 * 1000), "cleanup.policy": "delete"},
)
"""Which patients were erased, by keyed hashes: the list that is applied again after a restore (assistant-api's ADR 64).
No backup may be kept for longer than its three years. Each record is an erasure of its own, so nothing is compacted."""

CONTRACTS: Final = Topic(
    "assistant-api.contracts.v1",
    configs={"retention.ms": str(24 * 3600 * 1000), "cleanup.policy": "compact,delete"},
)
"""Which contracts each process of assistant-api answers; the newest record of a process counts. One that is killed
leaves its key behind, so what is a day old is deleted."""

BLUEPRINT: Final = Topic("tool-sync.blueprint.v1", configs={"cleanup.policy": "compact"})
"""Which versions of each tool are published; the newest record of a tool says all of it."""

HEADS: Final = Topic("tool-sync.heads.v1", configs=dict(_KEEP_FOR_EVER))
"""Where tool-sync's log stood, signed. A head a minute is about 400 MB a year. Whoever owns tool-sync's database should
have no right to it."""

DISPLAY_NAMES: Final = Topic(
    "display-names.v1",
    configs={
        "cleanup.policy": "compact",
        "max.compaction.lag.ms": str(24 * 3600 * 1000),
        "delete.retention.ms": str(7 * 24 * 3600 * 1000),
    },
)
"""What clinics and agents are called; the newest record of a key counts. A name that was replaced or deleted may be
compacted away when it is a day old, whatever Kafka's own ratios say; that it was deleted can be read for a week."""

VAPI_ACCOUNTS: Final = Topic("vapi-accounts.v1", configs=dict(DISPLAY_NAMES.configs))
"""Which clinics have an account of their own at Vapi, with its sealed key; the newest record of a clinic counts. A
sealed key that was replaced may go when it is a day old, as a name does."""

TOPICS: Final[tuple[Topic, ...]] = (
    ASSISTANTS,
    OUTCOMES,
    FLEET,
    TOOL_CALLS,
    ERASURES,
    CONTRACTS,
    BLUEPRINT,
    HEADS,
    DISPLAY_NAMES,
    VAPI_ACCOUNTS,
)
