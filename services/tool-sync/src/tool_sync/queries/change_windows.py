"""A clinic's change window as it is set now: by whom, when and why, and when it opens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain.change_window import TIME_ZONE_DEFAULT, ChangeWindow, WindowState, parse_window, state_of_window

_ROW: Final = """
SELECT o.closed AS is_closed, w.opens, w.closes, w.changed_at, w.reason, coalesce(w.position, 0) AS position,
       CASE WHEN w.position <> 0 THEN coalesce(w.actor, '') END AS actor, coalesce(w.time_zone, $2) AS time_zone,
       clock_timestamp() AS now
  FROM organizations o LEFT JOIN org_change_windows w ON w.org_id = o.id
 WHERE o.id = $1
"""

# There are few different ones, whatever the number of clinics.
_DISTINCT: Final = """
SELECT opens, closes, time_zone, clock_timestamp() AS now FROM org_change_windows WHERE opens IS NOT NULL
 GROUP BY opens, closes, time_zone
"""


@dataclass(frozen=True, slots=True)
class OrgWindow:
    """``window`` None: none is set, or it was taken back, by this actor for this reason.

    ``position`` is that of the event that says so, 0 where nothing ever was. ``state`` is as of ``now``.
    """

    is_closed: bool
    window: ChangeWindow | None
    time_zone: str
    changed_at: datetime | None
    actor: str | None
    reason: str | None
    position: int
    now: datetime

    @property
    def state(self) -> WindowState | None:
        """Whether it is open, and when it opens next; None where there is none."""
        return None if self.window is None else state_of_window(self.window, self.time_zone, self.now)


async def window_of(connection: Connection, org_id: UUID) -> OrgWindow | None:
    """The clinic's change window; None where there is no such clinic."""
    row = await connection.fetchrow(_ROW, org_id, TIME_ZONE_DEFAULT)
    if row is None:
        return None
    columns = dict(row)
    window = window_between(columns.pop("opens"), columns.pop("closes"))
    return OrgWindow(**columns, window=window)


async def closed_windows(connection: Connection) -> list[str]:
    """All change windows of clinics that are closed now, as ``opens closes time_zone``."""
    found = []
    for opens, closes, zone, now in await connection.fetch(_DISTINCT):
        if (window := window_between(opens, closes)) and state_of_window(window, zone, now).closes_at is None:
            found.append(f"{opens} {closes} {zone}")
    return found


def window_between(opens: str | None, closes: str | None) -> ChangeWindow | None:
    """The window of these hours; None where they are none, or what this release does not take for hours."""
    window = parse_window(f"{opens}-{closes}")
    return window if isinstance(window, ChangeWindow) else None
