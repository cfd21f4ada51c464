"""Tools of ours at Vapi beside the one that the org has: two workers raced, or a lost answer landed late."""

from dataclasses import dataclass
from datetime import datetime

from tool_sync.domain.subject import surplus_subject
from tool_sync.queries.as_of import StateAsOf, age_seconds, unknown_since


@dataclass(frozen=True, slots=True)
class SurplusTool:
    """The sweep deletes it once it is old enough and no assistant links it.

    ``unknown_since``: its deletion has no answer yet; ``failure_code``: the last try to delete it failed.
    """

    vapi_tool_id: str
    since: datetime
    unknown_since: datetime | None
    unknown_seconds: float | None
    failure_code: str | None
    retry_at: datetime | None


def surplus_of(moment: StateAsOf, name: str) -> tuple[SurplusTool, ...]:
    """Those of this name, oldest first."""
    state = moment.state
    found = []
    for tool_id, surplus in state.surplus.items():
        if surplus.name != name:
            continue
        unknown = unknown_since(state, surplus_subject(tool_id))
        failure = state.failures.get(surplus_subject(tool_id))
        found.append(
            SurplusTool(
                vapi_tool_id=tool_id,
                since=surplus.since,
                unknown_since=unknown,
                unknown_seconds=age_seconds(moment, unknown),
                failure_code=failure.code if failure else None,
                retry_at=failure.retry_at if failure else None,
            )
        )
    return tuple(sorted(found, key=lambda tool: (tool.since, tool.vapi_tool_id)))
