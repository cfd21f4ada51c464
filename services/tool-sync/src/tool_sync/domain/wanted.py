"""What an org is to have, why it is to have none, and why a tool is to go: the only place that decides it.

    closed > no assistant left > switched off by the clinic > above the clinic's tier > wanted

What is neither wanted nor unwanted belongs to a newer release, and is nobody's here to touch.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from tool_sync.domain.events import RetireReason
from tool_sync.domain.toolset import Toolset

TIERS: Final = ("basic", "professional", "enterprise")
"""Low to high. An org gets what its own tier and every lower one gets."""


@dataclass(frozen=True, slots=True)
class WantedTool:
    """A tool as one org should have it; the hash covers everything that is registered with Vapi for that org."""

    name: str
    definition_version: int
    definition_hash: str
    tier: str = "basic"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one org is to have. ``none_wanted`` is the code that says why, where ``tools`` is empty."""

    tools: tuple[WantedTool, ...] = ()
    unwanted: Mapping[str, RetireReason] = field(default_factory=lambda: MappingProxyType({}))
    none_wanted: str | None = None


def wanted_of(state: Toolset, blueprint: tuple[WantedTool, ...]) -> Wanted:
    """What the org of this state is to have of the blueprint."""
    tier, disabled = state.tier, state.disabled
    tools = () if state.closed else wanted_for(tier, blueprint, disabled)
    none_wanted = None if tools else reason_for_none(tier, blueprint, disabled)
    return Wanted(tools, unwanted_for(tier, blueprint, disabled), none_wanted)


def leaving(
    state: Toolset, wanted: Wanted, names: Iterable[str], *, has_assistants: bool
) -> Mapping[str, RetireReason]:
    """Why tools of these names are to go; one that is not among the keys stays."""
    if state.closed:
        return dict.fromkeys(names, "closed")
    return wanted.unwanted if has_assistants else dict.fromkeys(names, "unused")


def _rank(tier: str) -> int:
    # A tier that this release does not know comes from a newer producer. Its org keeps what everybody gets.
    return TIERS.index(tier) if tier in TIERS else 0


def wanted_for(tier: str, blueprint: Iterable[WantedTool], disabled: Collection[str] = ()) -> tuple[WantedTool, ...]:
    """The tools of ``blueprint`` that an org of this tier gets, in the blueprint's order; none that is ``disabled``."""
    return tuple(tool for tool in blueprint if _rank(tool.tier) <= _rank(tier) and tool.name not in disabled)


SWITCHED_OFF_CODE: Final = "TS-501"
TIER_CODE: Final = "TS-502"
NOTHING_PUBLISHED_CODE: Final = "TS-503"


def reason_for_none(tier: str, blueprint: Iterable[WantedTool], disabled: Collection[str] = ()) -> str | None:
    """The code that says why an org wants no tool at all; None where it wants one."""
    tools = tuple(blueprint)
    if wanted_for(tier, tools, disabled):
        return None
    if not tools:
        return NOTHING_PUBLISHED_CODE
    return SWITCHED_OFF_CODE if wanted_for(tier, tools) else TIER_CODE


def unwanted_for(
    tier: str, blueprint: Iterable[WantedTool], disabled: Collection[str] = ()
) -> Mapping[str, RetireReason]:
    """The tools of ``blueprint`` that such an org does not get, and why. The others may be a newer release's."""
    reasons: dict[str, RetireReason] = {}
    for tool in blueprint:
        if tool.name in disabled:
            reasons[tool.name] = "setting"
        elif _rank(tool.tier) > _rank(tier):
            reasons[tool.name] = "tier"
    return reasons
