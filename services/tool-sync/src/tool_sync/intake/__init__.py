"""What arrives. Records from Kafka go into the event log: decode each, append all at once, then commit the offsets.

mapping        one record -> what is appended for it, or why it is poison. Pure
dead_letters   the table of poison
intake         a batch: append, set poison aside
tool_settings  beside Kafka: what a clinic or an operator sets for one tool, appended once
consumer       the platform's consumer of the assistants topic, with the intake in it
"""

from tool_sync.intake.consumer import new_consumer
from tool_sync.intake.intake import Intake

__all__ = ["Intake", "new_consumer"]
