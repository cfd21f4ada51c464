"""Published events sent again, and what a topic holds.

replay   stored events to a topic of its own, never to a live one
rewind   the relay's cursor back, for an outcomes topic that is empty
ahead    records on a topic that the log does not have
sending  the producer of a replay
"""

from tool_sync.outcomes.replay.ahead import Ahead, find_ahead
from tool_sync.outcomes.replay.replay import CannotReplay, Range, Replayed, replay
from tool_sync.outcomes.replay.rewind import rewind

__all__ = ["Ahead", "CannotReplay", "Range", "Replayed", "find_ahead", "replay", "rewind"]
