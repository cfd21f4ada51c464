"""Sample outcomes: what tool-sync would publish for made-up clinics, with the right sequences and stable ids."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from zerotouch_contracts.envelope import Record, to_record
from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.events import (
    AssistantDiverged,
    FailedTool,
    OutcomeMessage,
    SettledRequest,
    SyncedTool,
    ToolsSynced,
    ToolSyncFailed,
)
from zerotouch_contracts.subscriber.delivery import Delivered
from zerotouch_contracts.subscriber.unknown import UnknownOutcome

NAMESPACE: Final = UUID("5f0b4f0e-7f5f-4f0e-9c49-2f1f1f3b8a10")
BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
NEWER_TYPE: Final = "zerotouch.ToolsRenamed.v1"
BOOKING: Final = "bookClinicAppointment"


class OutcomeSamples:
    """Makes one log's outcomes, in order: each call is the org's next sequence and the log's next position.

    Two of the same ``log_name`` that are asked the same make the same outcomes, ids included.
    """

    def __init__(self, log_name: str = "log") -> None:
        self.log_id = uuid5(NAMESPACE, log_name)
        self.made: list[Delivered] = []
        self._sequences: dict[UUID, int] = {}

    def org(self, name: str) -> UUID:
        """The org id of a made-up clinic."""
        return uuid5(NAMESPACE, f"org {name}")

    def synced(
        self, org: str = "clinic", agent: str = "front-desk", *, tools: tuple[str, ...] = (BOOKING,)
    ) -> Delivered:
        """A ``ToolsSynced`` of an assistant that has ``tools``."""
        fields = self._fields(org, agent, tools)
        return self._made(ToolsSynced(**fields))

    def without_tools(
        self, org: str = "clinic", agent: str = "front-desk", *, reason: ErrorCode = ErrorCode.TOOLS_SWITCHED_OFF
    ) -> Delivered:
        """A ``ToolsSynced`` of an assistant that is to have no tools."""
        return self._made(ToolsSynced(**self._fields(org, agent, ()), reason=reason.value))

    def unusable(
        self, org: str = "clinic", agent: str = "front-desk", *, code: ErrorCode = ErrorCode.TOOL_SHADOWED
    ) -> Delivered:
        """A ``ToolSyncFailed`` of an assistant whose booking tool is linked and reached by no caller."""
        fields = self._fields(org, agent, (BOOKING,))
        return self._made(
            ToolSyncFailed(**fields, code=code.value, failed_tools=(FailedTool(name=BOOKING, code=code.value),))
        )

    def failed(self, org: str = "clinic", agent: str = "front-desk", *, tools: tuple[str, ...] = ()) -> Delivered:
        """A ``ToolSyncFailed`` of an assistant that lacks the booking tool and has ``tools``."""
        code = ErrorCode.TOOL_REFUSED.value
        fields = self._fields(org, agent, tools)
        return self._made(ToolSyncFailed(**fields, code=code, failed_tools=(FailedTool(name=BOOKING, code=code),)))

    def diverged(self, org: str = "clinic", agent: str = "front-desk") -> Delivered:
        """An ``AssistantDiverged``, which changes no tools."""
        fields = self._fields(org, agent, ())
        kept = {name: fields[name] for name in ("org_id", "sequence", "agent_id", "assistant_id", "revision")}
        return self._made(AssistantDiverged(**kept))

    def _fields(self, org: str, agent: str, tools: tuple[str, ...]) -> dict[str, Any]:
        org_id = self.org(org)
        sequence = self._sequences[org_id] = self._sequences.get(org_id, 0) + 1
        return {
            "org_id": org_id,
            "sequence": sequence,
            "agent_id": agent,
            "assistant_id": str(uuid5(NAMESPACE, f"assistant {org} {agent}")),
            "revision": sequence,
            "tools": tuple(
                SyncedTool(name=name, vapi_tool_id=str(uuid5(NAMESPACE, f"{org} {name}")), definition_version=1)
                for name in tools
            ),
            "requests": (SettledRequest(request_id=uuid5(NAMESPACE, f"request {org} {sequence}")),),
        }

    def _made(self, message: OutcomeMessage) -> Delivered:
        position = len(self.made) + 1
        delivered = Delivered(
            message=message,
            id=str(uuid5(self.log_id, f"{message.org_id} {message.sequence}")),
            time=BEGINNING + timedelta(seconds=position),
            log_id=self.log_id,
            traceparent=f"00-{uuid5(self.log_id, str(position)).hex}-00f067aa0ba902b7-01",
            position=position,
        )
        self.made.append(delivered)
        return delivered


def record_of(delivered: Delivered) -> Record:
    """The Kafka record in which tool-sync publishes an outcome."""
    return to_record(
        delivered.message,
        id=delivered.id,
        time=delivered.time,
        log_id=delivered.log_id,
        traceparent=delivered.traceparent,
    )


def from_topic(delivered: Delivered) -> Delivered:
    """The same outcome as the topic would bring it: a record names no position."""
    return replace(delivered, position=None)


def as_newer(delivered: Delivered) -> UnknownOutcome:
    """What an older release of the kit makes of an outcome whose type it does not know."""
    return UnknownOutcome(NEWER_TYPE, delivered.id, delivered.org_id, delivered.sequence, delivered.log_id)


def newer_record_of(delivered: Delivered) -> Record:
    """The record of an outcome under a type that no release knows."""
    record = record_of(delivered)
    headers = tuple((name, NEWER_TYPE.encode() if name == "ce_type" else raw) for name, raw in record.headers)
    return replace(record, headers=headers)
