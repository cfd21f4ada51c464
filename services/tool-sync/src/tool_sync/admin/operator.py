"""What an operator asks for, as an event in an organization's stream."""

from typing import Final
from uuid import UUID, uuid4

from tool_sync.domain.events import Event
from tool_sync.log import AppendRequest, fact, org_stream

SOURCE: Final = "/zerotouch/tool-sync/operations"
ACTOR: Final = "operator"


def operator_request(org_id: UUID, event: Event, service_version: str) -> AppendRequest:
    """An append of the one event. Its cause is made here, so asking twice stores two."""
    stream, cause = org_stream(org_id), str(uuid4())
    return fact(stream, org_id, event, source=SOURCE, cause=cause, actor=ACTOR, service_version=service_version)
