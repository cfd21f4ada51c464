"""Every call of Vapi asks the key before and tells it after, whatever becomes of the call."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from tool_sync.domain.plan.steps import Lane
from tool_sync.sync.context import Context
from tool_sync.vapi.failures import Kind, VapiFailure
from tool_sync.vapi.rate_limit import Answer, CallLane

T = TypeVar("T")


class KeyHeld(Exception):
    """Vapi's key allows nothing before ``until``. The step is as it was: not tried, not failed."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"nothing may be sent before {until.isoformat()}")
        self.until = until


@dataclass(slots=True)
class Turn:
    """The calls of one step. Bulk work waits for the key's pace before the first of them alone: with each further one
    that was put off, what the step has read would have been read in vain."""

    lane: Lane
    begun: bool = False

    @property
    def call_lane(self) -> CallLane:
        """As what the next call asks the key."""
        return "begun" if self.begun and self.lane == "bulk" else self.lane


async def admit(context: Context, turn: Turn) -> None:
    """Take one request of the key. Raises :class:`KeyHeld`; else :func:`ask_admitted` or `unused` must follow."""
    if (held := await context.key.admit(context.clock.now(), turn.call_lane)) is not None:
        raise KeyHeld(held)
    turn.begun = True


async def ask(context: Context, call: Callable[[], Awaitable[T]], turn: Turn) -> T:
    """One call. Raises :class:`KeyHeld`, also where its answer has paused the key, and :class:`VapiFailure`."""
    await admit(context, turn)
    try:
        return await ask_admitted(context, call)
    except VapiFailure as failure:
        if (held := await note(context, failure)) is not None:
            raise KeyHeld(held) from failure
        raise


async def ask_admitted(context: Context, call: Callable[[], Awaitable[T]]) -> T:
    """The call for which a request was taken. Who catches its :class:`VapiFailure` tells the key with :func:`note`."""
    try:
        answer = await call()
    except VapiFailure:
        raise
    except BaseException:  # cancelled, mostly: nothing was learnt, and nobody must wait for what it would have been
        await context.key.unused()
        raise
    await context.key.note("answered", context.clock.now(), context.jitter())
    return answer


async def note(context: Context, failure: VapiFailure) -> datetime | None:
    """Tell the key what a call ended in; until when it is paused now, if by that."""
    return await context.key.note(
        said_of(failure), context.clock.now(), context.jitter(), failure.retry_after_seconds, failure.code.value
    )


def said_of(failure: VapiFailure) -> Answer:
    """What a failed call says of the key. A refusal of one tool or assistant says that the key works."""
    match failure.kind:
        case Kind.RATE_LIMITED:
            return "rate_limited"
        case Kind.AUTHENTICATION:
            return "refused"
        case _:
            return "broken" if failure.breaking else "answered"
