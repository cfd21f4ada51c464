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
    surplus = moment.state.surplus.items()
    found = (_shown(moment, tool_id, one.since) for tool_id, one in surplus if one.name == name)
    return tuple(sorted(found, key=lambda tool: (tool.since, tool.vapi_tool_id)))


def _shown(moment: StateAsOf, tool_id: str, since: datetime) -> SurplusTool:
    unknown = unknown_since(moment.state, surplus_subject(tool_id))
    failure = moment.state.failures.get(surplus_subject(tool_id))
    code, retry_at = (failure.code, failure.retry_at) if failure else (None, None)
    return SurplusTool(tool_id, since, unknown, age_seconds(moment, unknown), code, retry_at)
