"""What the topic of heads holds: its newest head of a log, and everything, from the beginning."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from tool_sync.outcomes.heads.keys import VerifyKeys
from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_contracts.heads import LogHead, read_head
from zerotouch_platform.kafka.reading import newest_records

T = TypeVar("T")

NEWEST_RECORDS: Final = 500
"""Of each partition: some may be a stranger's, or another log's."""
RECORDS_MAX: Final = 20_000_000
"""Of all that are read: about 40 years of a head a minute, so a limit only to who fills the topic."""


@dataclass(frozen=True, slots=True)
class HeadsRead:
    """The heads in the order in which they were written, and how many records are none of ours."""

    heads: tuple[LogHead, ...]
    unreadable: int = 0


async def newest_head(servers: str, topic: str, log_id: UUID, keys: VerifyKeys) -> LogHead | None:
    """The head of this log with the highest position that one of the keys signed. Raises ``KafkaUnavailable``."""
    found = await _read(servers, topic, NEWEST_RECORDS)
    ours = [head for head in found.heads if head.log_id == log_id and keys.signed(head)]
    return max(ours, key=lambda head: (head.position, head.signed_at), default=None)


async def all_heads(servers: str, topic: str) -> HeadsRead:
    """Every head up to the present end of the topic. Raises ``KafkaUnavailable``."""
    return await _read(servers, topic, RECORDS_MAX)


async def _read(servers: str, topic: str, count: int) -> HeadsRead:
    found = await newest_records(servers, topic, count)
    records = (record for partition in found for record in partition)
    return _heads(lambda one: read_head(one.key, one.value, one.headers), records, UndecodableRecord)


def heads_of_lines(text: str) -> HeadsRead:
    """Heads that somebody has kept, one JSON document a line."""
    return _heads(LogHead.model_validate_json, filter(str.strip, text.splitlines()), ValueError)


def _heads(read: Callable[[T], LogHead], found: Iterable[T], unreadable: type[Exception]) -> HeadsRead:
    heads, passed_over = [], 0
    for one in found:
        try:
            heads.append(read(one))
        except unreadable:
            passed_over += 1
    return HeadsRead(tuple(heads), passed_over)
