"""The completeness audit: did every save get its outcome, exactly one, and in time?

::

    history    what lies on both topics: saves with their place, outcomes with the requests they answer
    accepted   what assistant-api accepted, over its HTTP API
    parked     dead letters, and those that somebody has looked at and closed
    unreached  what a read of Vapi adds, where it is asked for
    judge      PURE: each save into its class, and the report

It trusts neither the log nor the projections: it compares what went in with what came out.
"""

from tool_sync.queries.audit.accepted import Accepted, AcceptedUnavailable, accepted_saves
from tool_sync.queries.audit.history import History, Place, Save, Unreadable, read_history
from tool_sync.queries.audit.judge import Finding, Report, Verdict, judge
from tool_sync.queries.audit.parked import parked_records
from tool_sync.queries.audit.unreached import LiveRead, Unreached

__all__ = [
    "Accepted",
    "AcceptedUnavailable",
    "Finding",
    "History",
    "LiveRead",
    "Place",
    "Report",
    "Save",
    "Unreached",
    "Unreadable",
    "Verdict",
    "accepted_saves",
    "judge",
    "parked_records",
    "read_history",
]
