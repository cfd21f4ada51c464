"""What a subscriber keeps: its own rows, and beside them how far they go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from uuid import UUID

from zerotouch_contracts.subscriber.delivery import Delivered, Enveloped, FleetDelivered
from zerotouch_contracts.subscriber.order import Last


@dataclass(frozen=True, slots=True)
class Marks:
    """How far a state goes. ``log_id`` is None for an empty one.

    ``last`` is the newest applied message of each org (of a rollout, under :func:`.fleet.rollout_key`), and
    ``position`` a place in the log up to which everything is applied (0: unknown; it moves with the feed only, as
    records of a topic name no position).
    """

    log_id: UUID | None = None
    last: Mapping[UUID, Last] = field(default_factory=dict)
    position: int = 0


D_contra = TypeVar("D_contra", bound=Enveloped[Any], contravariant=True)


class StateOf(Protocol[D_contra]):
    """Implemented by the subscriber; three methods, each one transaction.

    ``apply`` is at-least-once in front of a crash, so it must store the marks together with what follows from the
    batch: then each message has its effect exactly once.
    """

    async def load(self) -> Marks:
        """The marks as stored."""
        ...

    async def apply(self, batch: Sequence[D_contra], marks: Marks) -> None:
        """Take in the messages, in this order, and merge the marks: ``marks.last`` holds only the orgs that moved.

        The batch is empty where all that came was of types that this release does not know: the marks move all the
        same.
        """
        ...

    async def wipe(self) -> None:
        """Forget everything, the marks included: a rebuild begins."""
        ...


class State(StateOf[Delivered], Protocol):
    """The state of a subscriber of the outcomes."""


class FleetState(StateOf[FleetDelivered], Protocol):
    """The state of a subscriber of what becomes of tools and rollouts."""
