"""Which tools an org should have: a pure function of the blueprint and the org's tier."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

TIERS: Final = ("basic", "professional", "enterprise")
"""Low to high. An org gets what its own tier and every lower one gets."""


@dataclass(frozen=True, slots=True)
class WantedTool:
    """A tool as one org should have it; the hash covers everything that is registered with Vapi for that org."""

    name: str
    definition_version: int
    definition_hash: str
    tier: str = "basic"


def _rank(tier: str) -> int:
    # A tier that this release does not know comes from a newer producer. Its org keeps what everybody gets.
    return TIERS.index(tier) if tier in TIERS else 0


def wanted_for(tier: str, blueprint: Iterable[WantedTool]) -> tuple[WantedTool, ...]:
    """The tools of ``blueprint`` that an org of this tier gets, in the blueprint's order."""
    return tuple(tool for tool in blueprint if _rank(tool.tier) <= _rank(tier))
