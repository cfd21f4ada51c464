"""What a group has missed on a topic, from what was seen before and what is seen now. Pure.

Kafka says nothing of it: a consumer whose offset is gone begins where ``auto.offset.reset`` says, without a word
(KAFKA-20539), and one whose topic was made again reads on in another log.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from zerotouch_platform.kafka.places import Place


class Cause(StrEnum):
    """Why records are gone, or out of order."""

    DELETED = "deleted before they were read"
    MADE_AGAIN = "the topic was recreated or truncated, or the group's offsets were forgotten"
    ADDED = "partitions were added: keys have moved, so their order is broken"


@dataclass(frozen=True, slots=True)
class Seen:
    """The last look at a partition: what the group was to read next, and where it ended.

    ``by_another_group``: the service's group had another name then, so the one of now reads from the beginning.
    """

    read_to: int
    end: int
    by_another_group: bool = False


@dataclass(frozen=True, slots=True)
class Loss:
    """Offsets ``first`` up to, without, ``end``; of a partition that was added, what lies on it."""

    partition: int
    first: int
    end: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Jump:
    """A consumer's next record should have had the offset ``first``, and had ``end``."""

    partition: int
    first: int
    end: int


def losses(before: Mapping[int, Seen], now: Mapping[int, Place], jumps: Iterable[Jump] = ()) -> tuple[Loss, ...]:
    """What has been lost since the look before. ``before`` is empty at the first look of all."""
    found: list[Loss] = []
    for number, place in sorted(now.items()):
        seen = before.get(number)
        if seen is None and before:
            found.append(Loss(number, 0, place.end, Cause.ADDED))
        elif seen is not None and _is_another_log(seen, place):
            found.append(Loss(number, min(seen.read_to, seen.end), seen.end, Cause.MADE_AGAIN))
        elif seen is None and place.committed is not None and place.committed > place.end:
            found.append(Loss(number, place.end, place.committed, Cause.MADE_AGAIN))
        else:
            found += _deleted(number, seen, place, [jump for jump in jumps if jump.partition == number])
    return tuple(found)


def seen_now(before: Mapping[int, Seen], now: Mapping[int, Place]) -> dict[int, Seen]:
    """What the next look is compared with: nothing is found twice."""
    return {number: _seen(before.get(number), place) for number, place in now.items()}


def _is_another_log(seen: Seen, place: Place) -> bool:
    """It has shrunk, or begins before what was read, and the broker forgot what was committed: it does with a topic."""
    is_forgotten = place.committed is None and not seen.by_another_group
    return place.end < seen.end or (is_forgotten and place.begin < seen.read_to)


def _deleted(number: int, seen: Seen | None, place: Place, jumps: list[Jump]) -> Iterable[Loss]:
    known = 0 if seen is None else seen.read_to
    first = known if place.committed is None else max(place.committed, known)
    if (seen is not None or place.committed is not None) and first < place.begin:
        yield Loss(number, first, place.begin, Cause.DELETED)
    for jump in jumps:
        first, end = max(jump.first, known), min(jump.end, place.begin)
        if first < end:
            yield Loss(number, first, end, Cause.DELETED)


def _seen(seen: Seen | None, place: Place) -> Seen:
    goes_on = seen is not None and not seen.by_another_group and not _is_another_log(seen, place)
    known = seen.read_to if seen is not None and goes_on else 0
    committed = 0 if place.committed is None or place.committed > place.end else place.committed
    return Seen(max(place.begin, committed, known), place.end)
