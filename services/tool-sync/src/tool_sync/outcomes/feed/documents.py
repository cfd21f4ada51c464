"""A published event as a CloudEvent in JSON (structured mode, JSON event format 1.0.2, read 2026-11-24).

Attributes are those of its record's headers, without their ``ce_``; ``logid`` (names have no underscore) and
``position`` are extensions, and ``data`` is the record's value, byte for byte. Made by hand, as a page has 1,000 of
them; a test holds it to the record.
"""

import json
from datetime import UTC
from typing import Final
from uuid import UUID

from tool_sync.outcomes.pages import Published
from zerotouch_contracts.envelope import CONTENT_TYPE, SEQUENCE_DIGITS, SOURCE_TOOL_SYNC, subject_of

_FIXED: Final = f'"datacontenttype":"{CONTENT_TYPE.decode()}","specversion":"1.0","source":"{SOURCE_TOOL_SYNC}"'


def document_of(published: Published, log_id: UUID) -> str:
    """The CloudEvent, one line."""
    message = published.message
    subject, about = subject_of(message)
    time = published.recorded_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    trace = f',"traceparent":{json.dumps(published.traceparent)}' if published.traceparent else ""
    return (
        f'{{"position":{published.position},{_FIXED},"id":"{published.event_id}","type":"{message.TYPE}","time":"{time}",'
        f'"{subject.removeprefix("ce_")}":"{about}","logid":"{log_id}","sequence":"{message.sequence:0{SEQUENCE_DIGITS}d}"{trace},'
        f'"data":{message.model_dump_json()}}}'
    )
