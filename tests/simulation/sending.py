"""What must hold at the moment in which a worker sends a write to Vapi."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tool_sync.domain import events as e
from zerotouch_contracts.tools import ToolMarker

from .checks import Checks
from .database import Database, seconds_of
from .log import SimLog
from .process import Process
from .reach import marked_for, named
from .vapi import SEND_SLACK_SECONDS, Json, Server
from .wording import Worded, Wording


@dataclass(slots=True)
class Sending:
    """``read``: what each process was last shown of an assistant, by its name and the path."""

    database: Database
    log: SimLog
    server: Server
    checks: Checks
    window_seconds: float
    read: dict[tuple[str, str], Json]
    wording: Wording

    def check(self, sender: Process | None, method: str, path: str, body: Any) -> None:
        """A write is announced, not long ago, and the org is ours as far as we know."""
        if method == "GET" or sender is None:
            return
        now = asyncio.get_running_loop().time()
        announced = self._announcement(method, path, body)
        if announced is None:
            self.checks.violated(now, f"{sender.name} sends {method} {path} without an open announcement")
            return
        org_id, event, at = announced
        if path.startswith("/assistant/"):
            self._touches_its_links_only(now, sender, path, body, org_id)
        if method == "DELETE" and self.server.owner_of(path.rpartition("/")[2]) not in (org_id, None):
            self.checks.violated(now, f"{sender.name} deletes {path} of another clinic")
        if method == "DELETE" and not path.rpartition("/")[2].startswith("tool-"):
            self.checks.violated(now, f"{sender.name} deletes {path}, which is somebody else's")
        if method == "DELETE" and path.rpartition("/")[2] in self.checks.tools_of(org_id):
            self.checks.violated(now, f"{sender.name} deletes {path}, which {org_id} has")
        self._holds_lease(now, sender, method, path, org_id)
        if now - at > self.window_seconds + SEND_SLACK_SECONDS:
            self.checks.violated(now, f"{sender.name} sends {method} {path} {now - at:.3f} s after announcing")
        if isinstance(event, Worded):
            self.wording.check_sent(now, sender.name, org_id, event, body)
        if event.attempt_id in self.log.stored_before:
            self.checks.violated(now, f"{sender.name} sends {method} {path}, whose announcement was a duplicate")

    def _holds_lease(self, now: float, sender: Process, method: str, path: str, org_id: UUID) -> None:
        """What is sent is sent by the holder of the org's lease, as the database knows it."""
        lease = self.database.leases[org_id]
        if lease.token is None or lease.until is None or lease.until <= now or lease.holder is not sender:
            self.checks.violated(now, f"{sender.name} sends {method} {path} without the lease of {org_id}")

    def _touches_its_links_only(self, now: float, sender: Process, path: str, body: Any, org_id: UUID) -> None:
        """Of what it was shown it changes the links alone, and of those its own; and only where it is its own."""
        shown = self.read.get((sender.name, path))
        if shown is None or set(body) != {"model"}:
            self.checks.violated(now, f"{sender.name} writes {sorted(body)} to {path}, and has read {shown}")
            return
        if marked_for(shown) not in (None, org_id):
            self.checks.violated(now, f"{sender.name} writes for {org_id} to {path}, which is {marked_for(shown)}'s")
        before, after = dict(shown["model"]), dict(body["model"])
        links_before, links_after = _links(before), _links(after)
        if before != after:
            self.checks.violated(now, f"{sender.name} changes {before} of {path} to {after}")
        foreign = [link for link in links_before if not link.startswith("tool-")]
        if [link for link in links_after if not link.startswith("tool-")] != foreign:
            self.checks.violated(now, f"{sender.name} changes links {links_before} of {path} to {links_after}")
        for link in set(links_after) - set(links_before):
            if self.server.owner_of(link) not in (org_id, None):
                self.checks.violated(now, f"{sender.name} links {link} to {path} for {org_id}, another clinic")

    def _announcement(self, method: str, path: str, body: Any) -> tuple[UUID, Any, float] | None:
        """The newest unanswered announcement of such a write: its org, the event, and its time in virtual seconds."""
        kind, _, item_id = path.strip("/").partition("/")
        newest: tuple[UUID, Any, float] | None = None
        made = ToolMarker.of(body) if method == "POST" else None
        for org_id, events in self.database.by_org.items():
            if made is not None and made.org_id != org_id:
                continue
            open_attempts: dict[UUID, tuple[Any, float]] = {}
            for stored in events:
                event = stored.event
                attempt_id = getattr(event, "attempt_id", None)
                if attempt_id is None:
                    continue
                if type(event).__name__.endswith("Started"):
                    open_attempts[attempt_id] = (event, seconds_of(stored.recorded_at))
                elif not (isinstance(event, e.SyncAttemptFailed) and event.end == "unknown"):
                    open_attempts.pop(attempt_id, None)
            for event, at in open_attempts.values():
                if _fits(event, method, kind, item_id, made, body) and (newest is None or at > newest[2]):
                    newest = org_id, event, at
        return newest


def _links(model: Json) -> list[str]:
    """Takes the links out of a model and returns them."""
    links = list(named(model))
    model.pop("toolIds", None)
    model.pop("toolRefs", None)
    return links


def _fits(event: Any, method: str, kind: str, item_id: str, made: ToolMarker | None, body: Any) -> bool:
    match event:
        case e.ToolRegistrationStarted(name=name):
            return (method, kind) == ("POST", "tool") and made is not None and made.name == name
        case e.ToolUpdateStarted(vapi_tool_id=tool_id):
            return (method, item_id) == ("PATCH", tool_id)
        case e.AssistantLinkStarted(assistant_id=assistant_id, tools=tools) if method == "PATCH":
            # Two clinics may have announced a link of one assistant: a forged save names another's.
            return item_id == assistant_id and {ref.vapi_tool_id for ref in tools} <= set(named(body["model"]))
        case e.ToolDeleteStarted(vapi_tool_id=tool_id) | e.SurplusDeleteStarted(vapi_tool_id=tool_id):
            return (method, item_id) == ("DELETE", tool_id)
        case _:
            return False
