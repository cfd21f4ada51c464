"""What clinics have worded, every text as it was entered; and whether what is sent and concluded goes by those.

a) what is sent is the announced version with just the announced words
b) a write is taken for done only by who was shown it as it was announced, and for not done only by who was not
c) words are given up only where they are not stored
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tool_sync.domain import events as e

from .checks import Checks
from .database import Database
from .releases import PUBLISHED, Said, said
from .vapi import Json, Server

Worded = e.ToolRegistrationStarted | e.ToolUpdateStarted
SETTINGS = (e.ToolSettingChanged, e.ToolSettingRemoved, e.ToolCustomized)


@dataclass(slots=True)
class Wording:
    """``read``: what each process was last shown of a tool, by its name and the path. ``late``: paths of late writes.

    ``lost``: by clinic and hash, the texts that were not stored any more at some time.
    """

    database: Database
    server: Server
    checks: Checks
    read: Mapping[tuple[str, str], Json]
    late: set[str]
    lost: set[tuple[UUID, str]] = field(default_factory=set)
    _texts: dict[tuple[UUID, str], Any] = field(default_factory=dict)
    _announced: dict[UUID, Worded] = field(default_factory=dict)

    def enter(self, org_id: UUID, part_hash: str, text: Any) -> None:
        """A clinic writes this."""
        self._texts[org_id, part_hash] = text

    def texts_of(self, org_id: UUID, words: Iterable[e.CustomPart]) -> dict[str, Any]:
        """The clinic's texts, by the names of their parts."""
        return {part.part: self._texts[org_id, part.hash] for part in words}

    def newest(self, org_id: UUID, name: str, position: int | None = None) -> tuple[e.CustomPart, ...]:
        """The words of the clinic's newest setting, or its newest up to a position, whatever became of them."""
        settings = (
            stored.event
            for stored in reversed(self.database.by_org[org_id])
            if isinstance(stored.event, SETTINGS) and (position is None or stored.position <= position)
        )
        newest = next((event for event in settings if event.name == name), None)
        return newest.parts if isinstance(newest, e.ToolCustomized) else ()

    def strange(self, org_id: UUID, tool: Json) -> str | None:
        """What a clinic's tool says that another clinic has entered, and this one has not."""
        there, own = json.dumps(tool), [text for (owner, _), text in self._texts.items() if owner == org_id]
        texts = (json.dumps(text) for (owner, _), text in self._texts.items() if owner != org_id and text not in own)
        return next((text for text in texts if text.strip('"') in there), None)

    def check_sent(self, now: float, sender: str, org_id: UUID, event: Worded, body: Json) -> None:
        """a. A change names its messages also where there are none: what it does not name stays."""
        if said(body) != self._as_announced(org_id, event):
            self.checks.violated(now, f"{sender} sends {said(body)}, and has announced {event}")
        if isinstance(event, e.ToolUpdateStarted) and "messages" not in body:
            self.checks.violated(now, f"{sender} leaves {event.vapi_tool_id} the messages that it has")

    def written(self, writer: str, org_id: UUID, event: Any) -> None:
        """b, c."""
        match event:
            case e.ToolRegistrationStarted() | e.ToolUpdateStarted():
                self._announced[event.attempt_id] = event
                self.checks.reached["announced with own words"] += bool(event.overlay)
            case e.ToolUpdated(vapi_tool_id=tool_id):
                if not self._is_there(org_id, self._announced[event.attempt_id], self._shown(writer, tool_id)):
                    self._violated(f"{writer} takes {event} for done, and was shown {self._shown(writer, tool_id)}")
            case e.SyncAttemptFailed(end="absent", attempt_id=UUID() as attempt_id):
                started = self._announced.get(attempt_id)
                if isinstance(started, e.ToolUpdateStarted):
                    self._is_absent(writer, org_id, started)
            case e.ToolTextLost(hashes=hashes):
                self.checks.reached["own words lost"] += 1
                if kept := [one for one in hashes if not self._is_gone(org_id, one)]:
                    self._violated(f"{writer} gives up {kept} of {org_id}, which are stored")
            case _:
                pass

    def _is_absent(self, writer: str, org_id: UUID, started: e.ToolUpdateStarted) -> None:
        is_lost = any(self._is_gone(org_id, part.hash) for part in started.overlay)  # what nobody can tell any more
        shown = self._shown(writer, started.vapi_tool_id)
        self.checks.reached["own words judged"] += bool(started.overlay)
        if not is_lost and self._is_there(org_id, started, shown):
            self._violated(f"{writer} takes {started} for not done, and was shown {shown}")

    def _is_gone(self, org_id: UUID, part_hash: str) -> bool:
        """Whether the text was lost at some time, if only with its clinic."""
        is_closed = any(isinstance(stored.event, e.OrgClosed) for stored in self.database.by_org[org_id])
        return is_closed or (org_id, part_hash) in self.lost

    def _is_there(self, org_id: UUID, started: Worded, shown: Json | None) -> bool:
        return shown is not None and "server" in shown and said(shown) == self._as_announced(org_id, started)

    def _shown(self, writer: str, tool_id: str) -> Json | None:
        return self.read.get((writer, f"/tool/{tool_id}"))

    def _as_announced(self, org_id: UUID, event: Worded) -> Said:
        return said(PUBLISHED[event.name, event.definition_hash]).with_words(self.texts_of(org_id, event.overlay))

    def _violated(self, what: str) -> None:
        self.checks.violated(asyncio.get_running_loop().time(), what)
