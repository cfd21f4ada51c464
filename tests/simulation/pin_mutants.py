"""Broken rules of pins, and of what an order holds: a definition, and not a number."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any
from unittest.mock import patch

from tool_sync.domain import plan as planning
from tool_sync.domain import wanted
from tool_sync.domain.fleet import Clinic, Fleet, decide
from tool_sync.domain.plan import due as plan_pins

# The package exports a function of this name; this is the module.
org: Any = import_module("tool_sync.domain.evolve.org")


@contextmanager
def _of_clinics(mutated: Callable[[Clinic], Clinic]) -> Iterator[None]:
    clinic_of = wanted.clinic_of
    with patch.object(wanted, "clinic_of", lambda state, org_id, now: mutated(clinic_of(state, org_id, now))):
        yield


@contextmanager
def _of_fleets(mutated: Callable[[Clinic, Fleet, str], tuple[Clinic, Fleet]]) -> Iterator[None]:
    made = decide.decide_tool
    with patch.object(wanted, "decide_tool", lambda clinic, fleet, name: made(*mutated(clinic, fleet, name), name)):
        yield


def pin_is_ignored() -> AbstractContextManager[None]:
    """Whatever is ordered reaches everybody."""
    return _of_clinics(lambda clinic: replace(clinic, pins={}))


def pin_beats_a_halt() -> AbstractContextManager[None]:
    """A clinic that is pinned keeps a tool that nobody may have."""

    def mutated(clinic: Clinic, fleet: Fleet, name: str) -> tuple[Clinic, Fleet]:
        return clinic, replace(fleet, halted={}) if name in clinic.pins else fleet

    return _of_fleets(mutated)


def pin_follows_its_number() -> AbstractContextManager[None]:
    """A pinned clinic gets what its version's number was published for last."""

    def mutated(clinic: Clinic, fleet: Fleet, name: str) -> tuple[Clinic, Fleet]:
        pin = clinic.pins.get(name)
        newest = None if pin is None else fleet.versions.get(name, {}).get(pin.version)
        if pin is None or newest is None:
            return clinic, fleet
        return replace(clinic, pins={name: replace(pin, definition_hash=newest.definition_hash)}), fleet

    return _of_fleets(mutated)


def order_follows_its_number() -> AbstractContextManager[None]:
    """Whoever has a version by an older order gets what its number was published for last."""

    def mutated(clinic: Clinic, fleet: Fleet, name: str) -> tuple[Clinic, Fleet]:
        of_tool = fleet.versions.get(name, {})
        orders = tuple(replace(o, gives=of_tool.get(o.version or 0)) for o in fleet.orders.get(name, ()))
        return clinic, replace(fleet, orders={**fleet.orders, name: orders})

    return _of_fleets(mutated)


@contextmanager
def nobody_ends_a_pin() -> Iterator[None]:
    """Its time comes, and nothing is written."""
    with patch.object(planning, "expired_pins", lambda _situation: ()):
        yield


@contextmanager
def nobody_looks_when_a_pin_ends() -> Iterator[None]:
    """A pin is ended by whoever happens to come."""
    with patch.object(planning, "next_expiry", lambda _situation: None):
        yield


@contextmanager
def a_pin_ends_early() -> Iterator[None]:
    """Before its time, where somebody looks."""
    expired = plan_pins.expired_pins
    early = timedelta(seconds=3)
    with patch.object(planning, "expired_pins", lambda found: expired(replace(found, now=found.now + early))):
        yield


@contextmanager
def the_end_of_a_pin_ends_any() -> Iterator[None]:
    """A worker that slept ends a pin that was made meanwhile."""
    with patch.object(org, "_is_of", lambda state, name, _pinned_at: name in state.pins):
        yield


PINS: tuple[Callable[[], AbstractContextManager[object]], ...] = (
    pin_is_ignored,
    pin_beats_a_halt,
    pin_follows_its_number,
    order_follows_its_number,
    nobody_ends_a_pin,
    nobody_looks_when_a_pin_ends,
    a_pin_ends_early,
    the_end_of_a_pin_ends_any,
)
