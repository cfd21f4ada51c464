"""Broken rules about what Kafka lost, what a database forgot, and what a restore has lost."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any
from unittest.mock import patch

from tool_sync.sync.run import Run
from zerotouch_platform.kafka import losses

from .clinic import Agent, Clinic

# The package exports a function of this name; this is the module.
sweep: Any = import_module("tool_sync.sync.effects.sweep")


async def _nothing(*_: object) -> None:
    """Do nothing."""


@contextmanager
def does_not_see_what_was_deleted() -> Iterator[None]:
    """Reads on where the topic begins, as aiokafka does, and says nothing of what lay before."""
    with patch.object(losses, "_deleted", lambda *_: ()):
        yield


@contextmanager
def takes_a_new_topic_for_the_old_one() -> Iterator[None]:
    """Reads a topic that was made again from its beginning, and says nothing of what the old one held."""
    with patch.object(losses, "_is_another_log", lambda *_: False):
        yield


@contextmanager
def makes_a_second_assistant() -> Iterator[None]:
    """An agent that was made again under its id gets a new assistant beside the one that carries its mark."""
    made_again = Clinic.made_again

    def mutated(self: Clinic, lost: Agent) -> Agent:
        return made_again(self, replace(lost, assistant_id=self.assistant(f"{lost.agent_id}-again")))

    with patch.object(Clinic, "made_again", mutated):
        yield


@contextmanager
def nobody_looks_for_what_a_restore_lost() -> Iterator[None]:
    """A tool whose order was lost stays at Vapi until something else happens to its clinic."""
    with patch.object(Run, "_look_for_lost", _nothing):
        yield


@contextmanager
def keeps_what_was_made_twice() -> Iterator[None]:
    """A clinic that has the tool is not asked for another one that the log has lost."""

    async def none(*_: object) -> list[str]:
        return []

    with patch.object(Run, "_beside", none):
        yield


@contextmanager
def a_sweep_tells_nobody() -> Iterator[None]:
    """What is to go, and is linked still, is swept again and again, and nobody takes the link out."""
    with patch.object(sweep, "tell_linking", _nothing):
        yield


LOST: tuple[Callable[[], AbstractContextManager[object]], ...] = (
    nobody_looks_for_what_a_restore_lost,
    keeps_what_was_made_twice,
    a_sweep_tells_nobody,
)
GONE: tuple[Callable[[], AbstractContextManager[object]], ...] = (
    does_not_see_what_was_deleted,
    takes_a_new_topic_for_the_old_one,
    makes_a_second_assistant,
    *LOST,
)
