"""Broken rules about what Kafka lost and what a database forgot."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from unittest.mock import patch

from zerotouch_platform.kafka import losses

from .clinic import Agent, Clinic


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


GONE: tuple[Callable[[], AbstractContextManager[object]], ...] = (
    does_not_see_what_was_deleted,
    takes_a_new_topic_for_the_old_one,
    makes_a_second_assistant,
)
