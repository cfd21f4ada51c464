"""Why an assistant cannot book, as far as its newest outcome and its clinic's tools say: decided here alone.

Coverage counts by the same rule in SQL, and asks here for the reasons; `check` adds what the org's log knows of a tool.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

GapKind = Literal["never synced", "failed", "not there", "not named", "another id"]


@dataclass(frozen=True, slots=True)
class Gap:
    """One reason, about ``tool`` where it is about one. ``vapi_tool_id``: the older tool that the outcome names."""

    kind: GapKind
    tool: str = ""
    vapi_tool_id: str = ""


def gaps_of(outcome: str | None, named: Mapping[str, str], has: Mapping[str, str | None]) -> tuple[Gap, ...]:
    """All reasons, in the order of the wanted tools; () where its callers reach them all.

    ``outcome`` is ``synced``, ``failed`` or None (none yet), ``named`` the ids that it names, by tool; ``has`` those
    that the clinic has of each wanted tool, None where it has none.
    """
    if outcome is None:
        return (Gap("never synced"),)
    found = [Gap("failed")] if outcome == "failed" else []
    for name, tool_id in has.items():
        if tool_id is None:
            found.append(Gap("not there", name))
        elif name not in named:
            found.append(Gap("not named", name))
        elif named[name] != tool_id:
            found.append(Gap("another id", name, named[name]))
    return tuple(found)
