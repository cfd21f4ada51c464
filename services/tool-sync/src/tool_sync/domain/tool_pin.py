"""What is pinned for one tool of an org: whether a wish changes anything, and what is refused."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tool_sync.domain.events import ToolPinned, ToolUnpinned
from tool_sync.domain.fleet import Fleet, Version
from tool_sync.domain.fleet.decide import rank
from tool_sync.domain.fleet.rollout import Refused, why_not_ordered
from tool_sync.domain.tool_setting import NoSuchOrg, NoSuchTool, OrgIsClosed, SettingMoved

PIN_DAYS_MAX: Final = 90
"""A pin is for a while: a clinic that stays behind for longer is one that nobody remembers to have left there."""


@dataclass(frozen=True, slots=True)
class PinWish:
    """What somebody asks for. ``version`` and ``until`` None: no pin. ``seen``: as with a setting."""

    version: int | None
    until: datetime | None
    reason: str
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class PinBasis:
    """What a wish is decided on, at ``now`` of the database. What is pinned is None where nothing is.

    ``position`` is that of the pin, or of what ended it; 0 where there never was one.
    """

    is_known: bool
    is_closed: bool
    tier: str
    now: datetime
    version: int | None
    definition_hash: str | None
    until: datetime | None
    reason: str | None
    position: int


PinRefusal = NoSuchOrg | OrgIsClosed | NoSuchTool | SettingMoved | Refused


def decide_pin(
    basis: PinBasis, fleet: Fleet, tool: str, wish: PinWish
) -> ToolPinned | ToolUnpinned | PinRefusal | None:
    """The event that the wish makes; None: it is already so."""
    if not basis.is_known:
        return NoSuchOrg()
    if basis.is_closed:
        return OrgIsClosed()
    if tool not in fleet.names:
        return NoSuchTool(fleet.names)
    if wish.seen is not None and wish.seen != basis.position:
        return SettingMoved(basis.position)
    if wish.version is None or wish.until is None:
        return None if basis.version is None else ToolUnpinned(tool, wish.reason)
    if (why := why_not_ordered(fleet, tool, wish.version)) is not None:
        return Refused(why)
    version = fleet.versions[tool][wish.version]
    if (why := _why_not(basis, version, wish.until)) is not None:
        return Refused(why)
    wished = (version.definition_hash, wish.until, wish.reason)
    if wished == (basis.definition_hash, basis.until, basis.reason):
        return None
    return ToolPinned(tool, version.version, version.definition_hash, version.tier, wish.until, wish.reason)


def _why_not(basis: PinBasis, version: Version, until: datetime) -> str | None:
    if until <= basis.now:
        return f"{_said(until)} has passed: a pin ends in the future"
    if until > basis.now + timedelta(days=PIN_DAYS_MAX):
        latest = basis.now + timedelta(days=PIN_DAYS_MAX)
        return f"{_said(until)} is too far away: a pin is for {PIN_DAYS_MAX} days at most, until {_said(latest)}"
    if rank(version.tier) > rank(basis.tier):
        return (
            f"version {version.version} of {version.name} is for {version.tier}, and the organization's tier is "
            f"{basis.tier}: it would lose the tool"
        )
    return None


def _said(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
