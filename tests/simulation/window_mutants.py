"""Broken rules of change windows: when an order waits, for what nobody waits, and what happens when it opens."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from tool_sync.domain import plan as planning
from tool_sync.domain import wanted
from tool_sync.domain.fleet import Clinic, Fleet, ToolDecision, decide
from tool_sync.sync import run

from . import feeder


@contextmanager
def _with_clinic(mutated: Callable[[Clinic], Clinic]) -> Iterator[None]:
    clinic_of = wanted.clinic_of
    with patch.object(wanted, "clinic_of", lambda state, org_id, now: mutated(clinic_of(state, org_id, now))):
        yield


def window_is_ignored() -> AbstractContextManager[None]:
    """Orders come at any time."""
    return _with_clinic(lambda clinic: replace(clinic, opens_at=None))


@contextmanager
def everything_waits_for_the_window() -> Iterator[None]:
    """Also what a clinic without any tool gets first, and what it switches on itself."""
    waits = decide.waits_for_window

    def mutated(clinic: Clinic, fleet: Fleet, name: str, made: ToolDecision) -> bool:
        return waits(clinic, fleet, name, made) or made.version is not None

    with patch.object(decide, "waits_for_window", mutated):
        yield


def mended_with_what_waits() -> AbstractContextManager[None]:
    """What was deleted at Vapi, or switched off for a while, comes back in the version that waits."""
    return _with_clinic(lambda clinic: clinic if clinic.opens_at is None else replace(clinic, kept={}, kept_since=None))


@contextmanager
def opening_is_forgotten() -> Iterator[None]:
    """Who waits for a window has no due time."""
    with (
        patch.object(planning, "earlier", lambda due, _opens_at: due),
        patch.object(feeder, "waits_for_window", lambda *_: False),
    ):
        yield


@contextmanager
def nobody_is_told_when_it_opens() -> Iterator[None]:
    """The window opens, and assistants hear nothing of a tool that came meanwhile."""

    async def nobody(*_: Any) -> bool:
        return False

    with patch.object(run, "tell_opened", nobody):
        yield


WINDOWS: tuple[Callable[[], AbstractContextManager[object]], ...] = (
    window_is_ignored,
    everything_waits_for_the_window,
    mended_with_what_waits,
    opening_is_forgotten,
    nobody_is_told_when_it_opens,
)
