"""Broken protocols. Each must be caught; a checker that passes one of them proves nothing about the real one."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any
from unittest.mock import patch

from tool_sync.domain import decider, plan, settling
from tool_sync.domain.commands import FailStep
from tool_sync.domain.evolve import attempts
from tool_sync.domain.subject import Subject
from tool_sync.log import Appended, Duplicate
from tool_sync.sync import loop, run, write_guard, writer
from tool_sync.sync.leases import Release
from tool_sync.vapi.failures import VapiFailure
from zerotouch_contracts.errors import ErrorCode

from . import database, world
from .creation_mutants import CREATIONS
from .gone_mutants import GONE
from .later_mutants import LATER
from .log import SimLog
from .order_mutants import ORDERS
from .pin_mutants import PINS
from .window_mutants import WINDOWS
from .word_mutants import WORDS

# The package exports functions of these names; these are the modules that they are in.
link: Any = import_module("tool_sync.sync.effects.link")
resolve: Any = import_module("tool_sync.sync.effects.resolve")

Mutant = Callable[[], AbstractContextManager[object]]


@contextmanager
def announces_afterwards() -> Iterator[None]:
    """The write is sent first, and announced once it is answered."""
    send = write_guard.WriteGuard.send

    async def mutated(self: Any, start: Any, subject: Subject, call: Any, *of_the_tool: Any, **window: Any) -> Any:
        try:
            answer = await call()
        except VapiFailure:
            answer = None

        async def answered() -> Any:
            return answer

        return await send(self, start, subject, answered, *of_the_tool, **window)

    with patch.object(write_guard.WriteGuard, "send", mutated):
        yield


@contextmanager
def does_not_settle() -> Iterator[None]:
    """Looks at once what became of a lost write, while it can still land."""
    with patch.object(world, "POLICY", replace(world.POLICY, settle=timedelta(seconds=0.3))):
        yield


@contextmanager
def does_not_adopt() -> Iterator[None]:
    """Never finds the tool of a lost answer."""

    async def absent(guard_: Any, _org_id: Any, step: Any, started: Any) -> Any:
        now = guard_.context.clock.now()
        return (FailStep(step.subject, started.attempt_id, "absent", ErrorCode.VAPI_ANSWER_UNKNOWN, now),)

    with patch.object(resolve, "_find_tool", absent):
        yield


@contextmanager
def has_no_send_window() -> Iterator[None]:
    """Sends however long ago it was announced."""
    limits = replace(world.LIMITS, send_window_seconds=1e9)
    with patch.object(world.World, "_limits", limits):
        yield


@contextmanager
def asks_for_no_lease() -> Iterator[None]:
    """Sends although somebody else may have the org by now."""
    with patch.object(loop.Reconciler, "_holds", lambda _self, _claim: lambda: True):
        yield


@contextmanager
def expects_no_version() -> Iterator[None]:
    """Appends to the toolset stream whatever has been appended meanwhile."""
    request = writer.Writer._request
    with patch.object(
        writer.Writer, "_request", lambda self, events: replace(request(self, events), expected_version=None)
    ):
        yield


@contextmanager
def takes_a_duplicate_for_its_own() -> Iterator[None]:
    """Sends although the announcement was stored by an earlier append, nobody knows when."""
    append = SimLog.append

    async def mutated(self: Any, request: Any) -> Any:
        answer = await append(self, request)
        if isinstance(answer, Duplicate):
            return Appended(answer.first_position, answer.version, answer.recorded_at)
        return answer

    with patch.object(SimLog, "append", mutated):
        yield


@contextmanager
def repeats_blindly() -> Iterator[None]:
    """Sends a write again when its answer is lost, as Vapi's own SDK does."""
    send = write_guard.WriteGuard.send

    async def mutated(self: Any, start: Any, subject: Subject, call: Any, *of_the_tool: Any, **window: Any) -> Any:
        async def twice() -> Any:
            try:
                return await call()
            except VapiFailure as failure:
                if failure.end != "unknown":
                    raise
                return await call()

        return await send(self, start, subject, twice, *of_the_tool, **window)

    with patch.object(write_guard.WriteGuard, "send", mutated):
        yield


@contextmanager
def calls_it_looked_at_without_a_lease() -> Iterator[None]:
    """A run that may start nothing releases its org as if all was done."""
    execute = run.Run.execute

    async def mutated(self: Any) -> Release:
        release = await execute(self)
        if not self._holds_lease():
            return replace(release, processed_position=self._knowledge.loaded_through, next_due=None)
        return release

    with patch.object(run.Run, "execute", mutated):
        yield


@contextmanager
def writes_a_bare_model() -> Iterator[None]:
    """Sends only the fields of the model that it knows: PATCH replaces the model whole."""
    bare = ("provider", "model", "messages")

    def reduced(model: dict[str, Any], *arguments: Any) -> Any:
        tool_ids = relinked(model, *arguments)
        if tool_ids is not None:
            for name in [name for name in model if name not in bare]:
                del model[name]
        return tool_ids

    relinked = link.relinked
    with patch.object(link, "relinked", reduced):
        yield


@contextmanager
def tells_outcomes_twice() -> Iterator[None]:
    """Every outcome is decided twice."""
    settle = settling.settle_synced
    with patch.object(settling, "settle_synced", lambda state, command: settle(state, command) * 2):
        yield


@contextmanager
def numbers_from_the_beginning() -> Iterator[None]:
    """Published events are numbered 1, 1, 1 …"""
    settle = settling.settle_synced
    with patch.object(settling, "settle_synced", lambda state, command: settle(replace(state, sequence=0), command)):
        yield


@contextmanager
def forgets_due_times() -> Iterator[None]:
    """Releases without saying when the org is due again."""
    execute = run.Run.execute

    async def mutated(self: Any) -> Release:
        return replace(await execute(self), next_due=None)

    with patch.object(run.Run, "execute", mutated):
        yield


@contextmanager
def forgets_lost_answers() -> Iterator[None]:
    """Takes a write without an answer for one that did not happen."""
    failed = attempts.failed

    def mutated(state: Any, event: Any, *rest: Any) -> Any:
        return failed(state, replace(event, end="refused") if event.end == "unknown" else event, *rest)

    with patch.object(attempts, "failed", mutated):
        yield


@contextmanager
def passes_over_poison() -> Iterator[None]:
    """A save that could not be read gets no outcome."""
    with patch.object(plan, "unreadable", lambda _situation: ()):
        yield


@contextmanager
def never_heals() -> Iterator[None]:
    """Links on top of an older version than the newest save, instead of asking for it."""
    with patch.object(link, "whose", lambda _assistant, _hash: link.ModelProvenance.CURRENT):
        yield


@contextmanager
def stirs_nobody() -> Iterator[None]:
    """What is written without the lease makes nothing due."""
    with patch.object(database.Database, "_stir", lambda *_: None):
        yield


@contextmanager
def forgets_late_links() -> Iterator[None]:
    """Takes no notice of a link that may have landed after its attempt was closed."""
    fail = decider._fail

    def mutated(state: Any, command: FailStep) -> Any:
        closed = command.attempt_id is not None and command.attempt_id not in state.attempts
        return () if closed else fail(state, command)

    with patch.object(decider, "_fail", mutated):
        yield


MUTANTS: Mapping[str, Mutant] = {
    mutant.__name__.replace("_", " "): mutant
    for mutant in (
        announces_afterwards,
        does_not_settle,
        does_not_adopt,
        has_no_send_window,
        asks_for_no_lease,
        expects_no_version,
        takes_a_duplicate_for_its_own,
        repeats_blindly,
        calls_it_looked_at_without_a_lease,
        writes_a_bare_model,
        tells_outcomes_twice,
        numbers_from_the_beginning,
        forgets_due_times,
        forgets_lost_answers,
        passes_over_poison,
        never_heals,
        stirs_nobody,
        forgets_late_links,
        *LATER,
        *GONE,
        *CREATIONS,
        *ORDERS,
        *PINS,
        *WINDOWS,
        *WORDS,
    )
}
