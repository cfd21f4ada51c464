"""Takes records from Kafka into the event log: decode each, append all at once, then commit the offsets.

mapping        one record -> what is appended for it, or why it is poison. Pure
dead_letters   the table of poison
intake         a batch: append, set poison aside, wait while the database is away
consumer       the FastStream subscriber and its options
subscriber     connects, watches over the consumer, connects anew
"""

from tool_sync.intake.subscriber import Subscriber

__all__ = ["Subscriber"]
