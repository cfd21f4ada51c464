"""The rules of :mod:`tool_sync.domain.fleet.decide` with one of them taken away: what would have been decided then?"""

from dataclasses import replace
from enum import StrEnum
from typing import assert_never

from tool_sync.domain.fleet import Clinic, Fleet
from tool_sync.domain.fleet.decide import TIERS
from tool_sync.queries.decided_clinics import ClinicState


class Without(StrEnum):
    """The rule that is taken away: as if no clinic had set, no operator had pinned or halted anything, and so on."""

    PINS = "pins"
    SETTINGS = "settings"
    WINDOWS = "windows"
    HALTS = "halts"
    TIERS = "tiers"


def clinic_without(rule: Without, clinic: Clinic) -> Clinic:
    """The clinic as the remaining rules see it."""
    match rule:
        case Without.PINS:
            return replace(clinic, pins={})
        case Without.SETTINGS:
            return replace(clinic, disabled=frozenset())
        case Without.WINDOWS:
            return replace(clinic, opens_at=None)
        case Without.HALTS | Without.TIERS:
            return clinic
        case _:
            assert_never(rule)


def state_without(rule: Without, state: ClinicState) -> ClinicState:
    """The same of the clinic's own words, which are a part of its settings."""
    return replace(state, custom={}) if rule is Without.SETTINGS else state


def fleet_without(rule: Without, fleet: Fleet) -> Fleet:
    """The fleet as the remaining rules see it. Stages stay as they are, those by tier, too."""
    match rule:
        case Without.HALTS:
            return replace(fleet, halted={})
        case Without.TIERS:
            lowest = {key: replace(version, tier=TIERS[0]) for key, version in fleet.hashes.items()}
            orders = {
                name: tuple(
                    order if order.gives is None else replace(order, gives=replace(order.gives, tier=TIERS[0]))
                    for order in of_tool
                )
                for name, of_tool in fleet.orders.items()
            }
            return replace(fleet, hashes=lowest, orders=orders)
        case Without.PINS | Without.SETTINGS | Without.WINDOWS:
            return fleet
        case _:
            assert_never(rule)
