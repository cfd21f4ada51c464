"""What this service publishes, as read from the log: for the HTTP feed, for streams and for replay.

::

    filters    which of the published events a reader wants
    pages      reads them by position, with the records that the relay makes of them
    documents  a record as a CloudEvent in JSON
    tail       wakes readers that wait at the end of the log
"""

from tool_sync.outcomes.feed.documents import document_of
from tool_sync.outcomes.feed.filters import Filter, UnknownType
from tool_sync.outcomes.feed.pages import Page, Published, read_head, read_page
from tool_sync.outcomes.feed.tail import Tail

__all__ = ["Filter", "Page", "Published", "Tail", "UnknownType", "document_of", "read_head", "read_page"]
