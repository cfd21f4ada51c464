"""What an operator does in bulk: look at failures and try them again, look at dead letters and take them in again.

::

    failures      assistants whose newest outcome failed; a retry is an event in their org's stream
    dead_letters  records that were set aside; a replay reads them as the intake of this release does

Both only append to the log: the reconciler does the rest, as for every other wish.
"""

from tool_sync.admin.dead_letters import DeadLetter, Replayed, list_letters, read_letter, replay_letters
from tool_sync.admin.failures import Failed, list_failures, retry_failures

__all__ = [
    "DeadLetter",
    "Failed",
    "Replayed",
    "list_failures",
    "list_letters",
    "read_letter",
    "replay_letters",
    "retry_failures",
]
