"""An org's state: the newest snapshot, then the events of both its streams above it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import TypeAdapter

from tool_sync.domain.evolve import evolve
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.toolset import FOLD, Recorded, Toolset
from tool_sync.log import Loaded as LoadedEvents
from tool_sync.log import Snapshot, UnknownEvent
from tool_sync.sync.context import Context

_TOOLSET: TypeAdapter[Toolset] = TypeAdapter(Toolset)


@dataclass(frozen=True, slots=True)
class LoadedOrg:
    """A state with the fleet as of the same moment, and the snapshot worth saving, where many events were read."""

    state: Toolset
    fleet: Fleet
    snapshot: Snapshot | None


def fold(events: LoadedEvents, fleet: Fleet, *, org_id: UUID, snapshot_after_events: int) -> LoadedOrg:
    """The state from what the log returned for one org. A snapshot of another fold number is not used."""
    saved = events.snapshot
    state = _TOOLSET.validate_json(saved.state) if saved is not None and saved.fold == FOLD else Toolset()
    for stored in events.events:
        if stored.position > state.position:
            state = evolve(state, Recorded(stored.position, stored.recorded_at, stored.event, stored.meta.traceparent))
    worth_saving = len(events.events) >= snapshot_after_events
    snapshot = Snapshot(org_id, FOLD, state.position, _TOOLSET.dump_json(state).decode()) if worth_saving else None
    return LoadedOrg(state, fleet, snapshot)


async def load_many(context: Context, org_ids: Sequence[UUID]) -> dict[UUID, LoadedOrg | UnknownEvent]:
    """The states of many orgs, in one statement; saves the snapshots that are due.

    An org whose log holds an event that this release does not know is answered with that, and stops nobody else; where
    it is an event of the fleet, every org is.
    """
    found, fleet_events = await context.log.load(org_ids, fold=FOLD, fleet_after=context.fleet.position)
    if isinstance(fleet_events, UnknownEvent):
        return dict.fromkeys(org_ids, fleet_events)
    fleet = context.fleet.take_in(fleet_events)
    after = context.limits.snapshot_after_events
    loaded = {
        org_id: item
        if isinstance(item, UnknownEvent)
        else fold(item, fleet, org_id=org_id, snapshot_after_events=after)
        for org_id, item in found.items()
    }
    due = [item.snapshot for item in loaded.values() if isinstance(item, LoadedOrg) and item.snapshot is not None]
    if due:
        await context.log.save_snapshots(due)
    return loaded


async def load_one(context: Context, org_id: UUID) -> LoadedOrg:
    """The state of one org, read anew. Raises :class:`UnknownEvent`."""
    loaded = (await load_many(context, [org_id]))[org_id]
    if isinstance(loaded, UnknownEvent):
        raise loaded
    return loaded
