"""The fleet from the log's events, beside what assistant-api of this release answers."""

from collections.abc import Iterable

from tool_sync.domain.fleet import Fleet, evolve_fleet
from tool_sync.domain.toolset import Recorded
from tool_sync.log import StoredEvent
from tool_sync.publishing.contract_rules import ANSWERED_CONTRACTS


def empty_fleet() -> Fleet:
    """Before the first event."""
    return Fleet(answered=frozenset(ANSWERED_CONTRACTS))


def with_events(fleet: Fleet, events: Iterable[StoredEvent]) -> Fleet:
    """The fleet after these events; those that it has seen already change nothing."""
    for stored in events:
        if stored.position > fleet.position:
            recorded = Recorded(stored.position, stored.recorded_at, stored.event, actor=stored.meta.actor)
            fleet = evolve_fleet(fleet, stored.stream, recorded)
    return fleet
