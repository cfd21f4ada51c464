"""The event log: append, load, read. Table ``events``; the only writer is the SQL function ``append``.

::

    append ──► queue ──► one call of append() per round ──► events + projections   (group commit)
    load   ◄── snapshots + the events of an org above them
    read   ◄── events by position, without holes; one org's; what is published of them
    head   ◄── the newest position
"""

from tool_sync.log.codec import UnknownEvent
from tool_sync.log.errors import AppendRejected, LogUnavailable
from tool_sync.log.event_log import EventLog
from tool_sync.log.group_commit import LogSettings
from tool_sync.log.load import Loaded, LoadedAll, Snapshot
from tool_sync.log.port import Log
from tool_sync.log.read import UNREADABLE, Page, read_fleet, read_org
from tool_sync.log.records import (
    Appended,
    AppendRequest,
    AppendResult,
    Conflict,
    Duplicate,
    Meta,
    NewEvent,
    StoredEvent,
    event_id,
    fact,
    fleet_decision,
    org_stream,
    rollout_stream,
    tool_stream,
    toolset_stream,
)

__all__ = [
    "UNREADABLE",
    "AppendRejected",
    "AppendRequest",
    "AppendResult",
    "Appended",
    "Conflict",
    "Duplicate",
    "EventLog",
    "Loaded",
    "LoadedAll",
    "Log",
    "LogSettings",
    "LogUnavailable",
    "Meta",
    "NewEvent",
    "Page",
    "Snapshot",
    "StoredEvent",
    "UnknownEvent",
    "event_id",
    "fact",
    "fleet_decision",
    "org_stream",
    "read_fleet",
    "read_org",
    "rollout_stream",
    "tool_stream",
    "toolset_stream",
]
