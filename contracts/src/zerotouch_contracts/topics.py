"""The topics, and the rules that hold for all of them.

- Created by deploy, never by a client: a missing topic is an error, not something to make on the way.
- The key of every record is the org id in lower-case text form, so one org's records keep their order. Contracts are
  about no org: their key is the process that announces them.
- The number of partitions is fixed at creation: changing it would move keys and break that order.
- Infinite retention (but for tool calls and contracts) and never compacted (but for contracts): a subscriber can
  rebuild from the topic, and a late duplicate of a zombie relay must not replace a newer record.
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

TOOL_CALLS: Final = Topic(
    "tool-calls.v1", configs={"retention.ms": str(7 * 24 * 3600 * 1000), "cleanup.policy": "delete"}
)
"""That a call of a tool was handled, without its content; kept for 7 days."""

CONTRACTS: Final = Topic(
    "assistant-api.contracts.v1",
    configs={"retention.ms": str(24 * 3600 * 1000), "cleanup.policy": "compact,delete"},
)
"""Which contracts each process of assistant-api answers; the newest record of a process counts. One that is killed
leaves its key behind, so what is a day old is deleted."""

TOPICS: Final[tuple[Topic, ...]] = (ASSISTANTS, OUTCOMES, TOOL_CALLS, CONTRACTS)
