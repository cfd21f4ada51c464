"""What is set of a clinic's change window: whether a wish changes anything, and what is refused."""

from dataclasses import dataclass

from tool_sync.domain.change_window import ChangeWindow
from tool_sync.domain.events import ChangeWindowRemoved, ChangeWindowSet
from tool_sync.domain.tool_setting import NoSuchOrg, OrgIsClosed, SettingMoved


@dataclass(frozen=True, slots=True)
class WindowWish:
    """What somebody asks for. ``window`` None: none at all, orders come at any time.

    ``seen``: the position of what the wish replaces, 0 where there was nothing; None: whatever is set.
    """

    window: ChangeWindow | None
    reason: str | None
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class WindowBasis:
    """What a wish is decided on. ``window`` is None where none is set; ``position`` is 0 where nothing ever was."""

    is_known: bool
    is_closed: bool
    window: ChangeWindow | None
    reason: str | None
    position: int


WindowRefusal = NoSuchOrg | OrgIsClosed | SettingMoved


def decide_window(basis: WindowBasis, wish: WindowWish) -> ChangeWindowSet | ChangeWindowRemoved | WindowRefusal | None:
    """The event that the wish makes; None: it is already so."""
    if not basis.is_known:
        return NoSuchOrg()
    if basis.is_closed:
        return OrgIsClosed()
    if wish.seen is not None and wish.seen != basis.position:
        return SettingMoved(basis.position)
    if wish.window is None:
        return None if basis.window is None else ChangeWindowRemoved(wish.reason)
    if (wish.window, wish.reason) == (basis.window, basis.reason):
        return None
    return ChangeWindowSet(wish.window.opens, wish.window.closes, wish.reason)
