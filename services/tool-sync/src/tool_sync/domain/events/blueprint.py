"""What the platform's owner publishes: the events of ``blueprint-<tool>``. They belong to no org."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class BlueprintPublished:
    """A version of a tool can be ordered from now on; what clinics get of it, orders say (:mod:`.rollout`).

    ``document`` is what is registered at Vapi, with the nil UUID in the place of the org's; null in old events.
    ``contract``: the argument model of assistant-api that answers it, 0 for another service; null in old events, whose
    document says it. ``note`` is for people. ``reason``: one line of whoever published it; null where nobody gave one,
    and in old events. ``open``: the parts that a clinic may word itself.
    """

    name: str
    version: int
    tier: str
    asynchronous: bool
    definition_hash: str
    document: dict[str, Any] | None = None
    contract: int | None = None
    note: str = ""
    reason: str | None = None
    open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnsweredContract:
    """An argument model of a tool's name that assistant-api answers."""

    name: str
    contract: int


@dataclass(frozen=True, slots=True)
class ContractsAnswered:
    """From now on every live process of assistant-api answers exactly these; in the stream ``blueprint-~contracts``."""

    contracts: tuple[AnsweredContract, ...]


@dataclass(frozen=True, slots=True)
class VersionWithdrawn:
    """The version cannot be ordered any more. Who has it by an order that stands keeps it."""

    name: str
    version: int
    reason: str


@dataclass(frozen=True, slots=True)
class ToolHalted:
    """No assistant of any clinic may have the tool, whatever is ordered, until it is resumed."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class DriftPolicySet:
    """What becomes of words of a tool that somebody changes at Vapi: they are put right, or only noted (``report``).

    Before the first one they are put right.
    """

    name: str
    policy: Literal["repair", "report"]
    reason: str


@dataclass(frozen=True, slots=True)
class ToolResumed:
    """The halt is over: every clinic gets what is ordered again."""

    name: str
    reason: str
