"""A rollout by its id, or by how that begins."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from tool_sync.domain.fleet import Fleet
from tool_sync.domain.tool_setting import nearest

SHOWN_MAX: Final = 5
"""Rollouts that one beginning is told to mean."""
TEXT_CHARACTERS_SHOWN: Final = 80


@dataclass(eq=False)
class UnknownRollout(Exception):
    """No rollout has this id, or several begin so (``meant``). ``near``: the one that is most like it."""

    text: str
    near: str | None = None
    meant: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = self.text[:TEXT_CHARACTERS_SHOWN]
        if self.meant:
            more = f" and {len(self.meant) - SHOWN_MAX} more" if len(self.meant) > SHOWN_MAX else ""
            return f"{shown!r} may be {', '.join(self.meant[:SHOWN_MAX])}{more}: write more of it"
        hint = f"; did you mean {self.near}?" if self.near else ""
        return f"there is no rollout {shown}{hint}"


def find_rollout(fleet: Fleet, text: str) -> str:
    """The id of a rollout by its beginning. Raises `UnknownRollout`."""
    ids = _ids(fleet)
    found = [text] if text in ids else [one for one in ids if one.startswith(text)]
    if len(found) != 1:
        raise UnknownRollout(text, nearest(text, ids), tuple(found))
    return found[0]


def require_rollout(fleet: Fleet, rollout_id: str) -> str:
    """The id itself, where there is such a rollout. Raises `UnknownRollout`."""
    ids = _ids(fleet)
    if rollout_id not in ids:
        raise UnknownRollout(rollout_id, nearest(rollout_id, ids))
    return rollout_id


def _ids(fleet: Fleet) -> Collection[str]:
    return [*fleet.plans, *(order.rollout_id for orders in fleet.orders.values() for order in orders)]
