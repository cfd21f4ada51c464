"""What is set for one tool of an org: whether a wish changes anything, and what is refused."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from tool_sync.domain.events import CustomPart, ToolCustomized, ToolSettingChanged, ToolSettingRemoved

REASON_CHARACTERS_MAX: Final = 200
_LIKE_A_NUMBER: Final = re.compile(r"\d(?:[\s()./-]*\d){8,}")
"""Nine digits and more in a row, however they are set apart: a phone or insurance number, and no date."""


@dataclass(frozen=True, slots=True)
class SettingWish:
    """What somebody asks for. ``enabled`` None: no setting at all, the tool is to be as the blueprint says.

    ``seen``: the position of the setting that the wish replaces, 0 where there was none; None: whatever is set.
    ``custom``: the words for these parts and no others; None: those that are set.
    """

    enabled: bool | None
    reason: str | None
    seen: int | None = None
    custom: tuple[CustomPart, ...] | None = None


@dataclass(frozen=True, slots=True)
class SettingBasis:
    """What a wish is decided on: the org, the names of the tools there are, and what is set now.

    ``enabled`` is None where nothing is set, or the setting was taken back; ``position`` is 0 where nothing ever was.
    ``custom`` are the words whose texts are stored; ``is_lossy``: there are others, whose texts are lost.
    """

    is_known: bool
    is_closed: bool
    tools: tuple[str, ...]
    enabled: bool | None
    reason: str | None
    position: int
    custom: tuple[CustomPart, ...] = ()
    is_lossy: bool = False


@dataclass(frozen=True, slots=True)
class NoSuchOrg:
    """There is no such organization."""


@dataclass(frozen=True, slots=True)
class OrgIsClosed:
    """The organization was deleted: nothing is set for it any more."""


@dataclass(frozen=True, slots=True)
class NoSuchTool:
    """Nobody has published a tool of this name; ``known`` are those that there are."""

    known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SettingMoved:
    """Somebody else has changed the setting since it was seen; it is at ``position`` now."""

    position: int


SettingEvent = ToolSettingChanged | ToolSettingRemoved | ToolCustomized
SettingRefusal = NoSuchOrg | OrgIsClosed | NoSuchTool | SettingMoved


def decide_setting(basis: SettingBasis, tool: str, wish: SettingWish) -> SettingEvent | SettingRefusal | None:
    """The event that the wish makes; None: it is already so."""
    if not basis.is_known:
        return NoSuchOrg()
    if basis.is_closed:
        return OrgIsClosed()
    # A setting outlives its tool's publication, and can still be taken back.
    if tool not in basis.tools and basis.enabled is None:
        return NoSuchTool(basis.tools)
    if wish.seen is not None and wish.seen != basis.position:
        return SettingMoved(basis.position)
    if wish.enabled is None:
        return None if basis.enabled is None else ToolSettingRemoved(tool, wish.reason)
    words = tuple(sorted(basis.custom if wish.custom is None else wish.custom, key=lambda one: one.part))
    is_same = (wish.enabled, wish.reason, words) == (basis.enabled, basis.reason, basis.custom)
    if is_same and not (basis.is_lossy and wish.custom is not None):
        return None
    if words:
        return ToolCustomized(tool, wish.enabled, wish.reason, words)
    return ToolSettingChanged(tool, wish.enabled, wish.reason)


def reason_problem(reason: str) -> str | None:
    """What is wrong with the text of a reason, or None. It is stored for ever, and so must name no patient."""
    if not reason.strip() or len(reason) > REASON_CHARACTERS_MAX or not reason.isprintable():
        return f"a reason is one line of 1 to {REASON_CHARACTERS_MAX} characters"
    if any(map(_is_like_an_address, reason.split())) or _LIKE_A_NUMBER.search(reason):
        return "a reason is kept for ever and names nobody: leave phone numbers and e-mail addresses out"
    return None


def _is_like_an_address(word: str) -> bool:
    """An e-mail address; TOOL@3 is none."""
    at = word.find("@", 1)
    return at > 0 and "." in word[at + 2 : -1]


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that is most like this one, whatever its case; None where none is like it."""
    by_fold = {one.casefold(): one for one in known}
    found = get_close_matches(name.casefold(), by_fold, n=1)
    return by_fold[found[0]] if found else None
