"""Sample messages: what tool-sync would publish for made-up clinics, with the right sequences and stable ids."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar
from uuid import UUID, uuid5

from zerotouch_contracts.envelope import Record, subject_of, to_record
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
from zerotouch_contracts.fleet import (
    FleetMessage,
    RolloutEnded,
    RolloutStarted,
    ToolChangeAnnounced,
    ToolRetired,
    ToolUpdated,
)
from zerotouch_contracts.subscriber.delivery import Delivered, Enveloped, FleetDelivered
from zerotouch_contracts.subscriber.unknown import UnknownOutcome

NAMESPACE: Final = UUID("5f0b4f0e-7f5f-4f0e-9c49-2f1f1f3b8a10")
BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
NEWER_TYPE: Final = "zerotouch.ToolsRenamed.v1"
BOOKING: Final = "bookClinicAppointment"

D = TypeVar("D", bound=Enveloped[Any])


class _Samples(Generic[D]):
    """One log, and what was said in it, in order."""

    _kind: type[D]

    def __init__(self, log_name: str = "log") -> None:
        self.log_id = uuid5(NAMESPACE, log_name)
        self.made: list[D] = []
        self._sequences: Counter[str] = Counter()

    def org(self, name: str) -> UUID:
        """The org id of a made-up clinic."""
        return uuid5(NAMESPACE, f"org {name}")

    def _next(self, key: str) -> int:
        self._sequences[key] += 1
        return self._sequences[key]

    def _made(self, message: OutcomeMessage | FleetMessage) -> D:
        position = len(self.made) + 1
        _, key = subject_of(message)
        delivered = self._kind(
            message=message,
            id=str(uuid5(self.log_id, f"{key} {message.sequence}")),
            time=BEGINNING + timedelta(seconds=position),
            log_id=self.log_id,
            traceparent=f"00-{uuid5(self.log_id, str(position)).hex}-00f067aa0ba902b7-01",
            position=position,
        )
        self.made.append(delivered)
        return delivered


class OutcomeSamples(_Samples[Delivered]):
    """Makes one log's outcomes, in order: each call is the org's next sequence and the log's next position.

    Two of the same ``log_name`` that are asked the same make the same outcomes, ids included.
    """

    _kind = Delivered

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
        sequence = self._next(org)
        return {
            "org_id": self.org(org),
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


class FleetSamples(_Samples[FleetDelivered]):
    """Makes one log's messages about tools and rollouts, in order, as :class:`OutcomeSamples` makes outcomes."""

    _kind = FleetDelivered

    def announced(self, org: str = "clinic", *, version: int = 2, rollout: str | None = "3f9c1a2b") -> FleetDelivered:
        """A ``ToolChangeAnnounced`` of the booking tool's update to ``version``."""
        return self._made(ToolChangeAnnounced(**self._change(org, version, rollout)))

    def updated(self, org: str = "clinic", *, version: int = 2, rollout: str | None = "3f9c1a2b") -> FleetDelivered:
        """The ``ToolUpdated`` that answers it."""
        return self._made(ToolUpdated(**self._change(org, version, rollout)))

    def retired(self, org: str = "clinic", *, version: int = 2, cause: str = "setting") -> FleetDelivered:
        """A ``ToolRetired`` of the booking tool."""
        fields = self._tool(org, version, cause, None)
        return self._made(ToolRetired(**fields, delete_at=BEGINNING + timedelta(days=7)))

    def rollout_started(self, rollout: str = "3f9c1a2b", *, version: int | None = 2) -> FleetDelivered:
        """A ``RolloutStarted`` of the booking tool's ``version``."""
        return self._made(
            RolloutStarted(
                rollout_id=rollout, sequence=self._next(rollout), tool=BOOKING, version=version, stages=("1 %", "all")
            )
        )

    def rollout_ended(self, rollout: str = "3f9c1a2b", *, how: str = "completed") -> FleetDelivered:
        """A ``RolloutEnded``."""
        return self._made(
            RolloutEnded(rollout_id=rollout, sequence=self._next(rollout), tool=BOOKING, how=how, cause="gate")
        )

    def _tool(self, org: str, version: int, cause: str, rollout: str | None) -> dict[str, Any]:
        return {
            "org_id": self.org(org),
            "sequence": self._next(org),
            "tool": BOOKING,
            "vapi_tool_id": str(uuid5(NAMESPACE, f"{org} {BOOKING}")),
            "version": version,
            "definition_hash": _hash(version),
            "cause": cause,
            "rollout": rollout,
        }

    def _change(self, org: str, version: int, rollout: str | None) -> dict[str, Any]:
        return self._tool(org, version, "repair" if rollout is None else "rollout", rollout) | {
            "change": "updated",
            "change_id": uuid5(NAMESPACE, f"change {org} {version}"),
            "version_before": max(version - 1, 1),
            "definition_hash_before": _hash(max(version - 1, 1)),
        }


def _hash(version: int) -> str:
    return f"{version:064x}"


def record_of(delivered: Enveloped[Any]) -> Record:
    """The Kafka record in which tool-sync publishes a message."""
    return to_record(
        delivered.message,
        id=delivered.id,
        time=delivered.time,
        log_id=delivered.log_id,
        traceparent=delivered.traceparent,
    )


def from_topic(delivered: D) -> D:
    """The same message as the topic would bring it: a record names no position."""
    return replace(delivered, position=None)


def as_newer(delivered: Enveloped[Any]) -> UnknownOutcome:
    """What an older release of the kit makes of a message whose type it does not know."""
    rollout_id = getattr(delivered.message, "rollout_id", None)
    return UnknownOutcome(NEWER_TYPE, delivered.id, delivered.key, delivered.sequence, delivered.log_id, rollout_id)


def newer_record_of(delivered: Enveloped[Any]) -> Record:
    """The record of a message under a type that no release knows."""
    record = record_of(delivered)
    headers = tuple((name, NEWER_TYPE.encode() if name == "ce_type" else raw) for name, raw in record.headers)
    return replace(record, headers=headers)
