"""What became of a clinic's tools at Vapi, apart from their deletion."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from tool_sync.domain.events.custom import CustomPart


@dataclass(frozen=True, slots=True)
class ToolRef:
    """A tool at Vapi, with the definition that it was made from."""

    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str

    @property
    def fields(self) -> tuple[str, str, int, str]:
        """The four fields with which every event about a tool that the org has names it."""
        return self.name, self.vapi_tool_id, self.definition_version, self.definition_hash


def ids_of(refs: Iterable[ToolRef]) -> tuple[str, ...]:
    """The tools' ids at Vapi: what assistants link. They stay when a definition changes in place."""
    return tuple(ref.vapi_tool_id for ref in refs)


@dataclass(frozen=True, slots=True)
class ToolRegistrationStarted:
    """``POST /tool`` is about to be sent. Without an answer in the log it may or may not have happened.

    ``order`` is the rollout that it follows, decided on the fleet as of ``fleet_position``; null in old events.
    ``note`` is what the tool's owner says of the version. ``overlay``: the clinic's words that go with the definition.
    """

    attempt_id: UUID
    account: str
    name: str
    definition_version: int
    definition_hash: str
    order: str | None = None
    fleet_position: int | None = None
    note: str = ""
    cause: str | None = None
    fleet_sequence: int | None = None
    overlay: tuple[CustomPart, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolRegistered:
    """The org has this tool. ``adopted``: found at Vapi after an answer was lost, not made by this attempt's answer."""

    attempt_id: UUID
    account: str
    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str
    answer_hash: str
    adopted: bool
    vapi_version: str | None = None
    """Vapi's label of the tool's version, which an assistant may pin."""
    order: str | None = None
    note: str = ""
    cause: str | None = None
    fleet_sequence: int | None = None
    overlay: tuple[CustomPart, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolUpdateStarted:
    """``PATCH /tool`` is about to be sent: the definition is another one than the org's tool was made from.

    ``order`` is the rollout that it follows, decided on the fleet as of ``fleet_position``; null in old events.
    ``version_before`` and ``hash_before`` are the definition's that it replaces. ``repairs``: where the definition is
    the same, the hash of what somebody put in its place, if that was noted.
    """

    attempt_id: UUID
    account: str
    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str
    order: str | None = None
    fleet_position: int | None = None
    note: str = ""
    cause: str | None = None
    version_before: int | None = None
    hash_before: str | None = None
    fleet_sequence: int | None = None
    repairs: str | None = None
    overlay: tuple[CustomPart, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolUpdated:
    """The org's tool now has this definition; its id, and so every link to it, stays."""

    attempt_id: UUID
    account: str
    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str
    answer_hash: str
    vapi_version: str | None = None
    order: str | None = None
    note: str = ""
    cause: str | None = None
    version_before: int | None = None
    hash_before: str | None = None
    fleet_sequence: int | None = None
    overlay: tuple[CustomPart, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolVanished:
    """The org's tool does not exist at Vapi any more: somebody deleted it there. It is registered anew."""

    account: str
    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str
