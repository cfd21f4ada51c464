"""What this service publishes, for readers without Kafka.

::

    documents  a record as a CloudEvent in JSON
    tail       wakes readers that wait at the end of the log
"""

from tool_sync.outcomes.feed.documents import document_of
from tool_sync.outcomes.feed.tail import Tail

__all__ = ["Tail", "document_of"]
