"""Single clinics that the platform spares a change: pinned for a moment or for a day, or changed at their hours only.

A change window is a span of whole minutes of the clock, an hour at least. So one opens or closes within the run where
its edge is the next minute; the others are open or closed to its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

import asyncpg
from tests.chaos.world import World

PINNED: Final = (timedelta(seconds=8), timedelta(seconds=8), timedelta(seconds=20), timedelta(days=1))
HOUR: Final = timedelta(hours=1)
NEXT_MINUTE: Final = timedelta(minutes=1)
AWAY: Final = 3 * HOUR
SPARED_MAX: Final = 6
"""So many clinics at a time: where all of a stage wait for their hours, it waits for a person."""

_CLINICS: Final = """
SELECT t.org_id::text AS org, t.tool_name AS tool, t.definition_version AS version,
       EXISTS (SELECT FROM org_tool_pins p WHERE p.org_id = t.org_id AND p.tool_name = t.tool_name
                  AND p.version IS NOT NULL) AS is_pinned,
       EXISTS (SELECT FROM org_change_windows w WHERE w.org_id = t.org_id AND w.opens IS NOT NULL) AS has_window
  FROM org_tools t JOIN organizations o ON o.id = t.org_id
 WHERE t.enabled AND NOT o.closed ORDER BY t.org_id, t.tool_name
"""


@dataclass(frozen=True, slots=True)
class Spared:
    """Chooses a clinic and a command for it."""

    world: World
    dice: Random

    async def command(self) -> Sequence[str]:
        """What is typed next, as words; none where no clinic has a tool yet."""
        connection = await asyncpg.connect(self.world.database("tool_sync").admin, timeout=5)
        try:
            clinics = await connection.fetch(_CLINICS)
        finally:
            await connection.close()
        pinned = [one for one in clinics if one["is_pinned"]]
        kept = [one for one in clinics if one["has_window"]]
        spared = {one["org"] for one in (*pinned, *kept)}
        if not clinics:
            return ()
        if pinned and self.dice.random() < 0.3:
            one = self.dice.choice(pinned)
            return "org", "unpin", one["org"], one["tool"], "--reason", "looked"
        if kept and self.dice.random() < 0.3:
            return "window", "remove", self.dice.choice(kept)["org"], "--reason", "looked"
        if len(spared) >= SPARED_MAX:
            clinics = [one for one in clinics if one["org"] in spared]  # another end, or other hours
        one, now = self.dice.choice(clinics), datetime.now(UTC)
        if self.dice.random() < 0.5:
            until = (now + self.dice.choice(PINNED)).isoformat()
            return "org", "pin", one["org"], f"{one['tool']}@{one['version']}", "--until", until, "--reason", "to wait"
        return "window", "set", one["org"], self._hours(now), "--reason", "to wait"

    def _hours(self, now: datetime) -> str:
        opens, closes = self.dice.choice(
            (
                (now + AWAY, now + 2 * AWAY),
                (now - AWAY, now + AWAY),
                (now + NEXT_MINUTE, now + AWAY),
                (now - AWAY, now + NEXT_MINUTE),
            )
        )
        return f"{opens:%H:%M}-{closes:%H:%M}"
