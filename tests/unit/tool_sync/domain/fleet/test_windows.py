"""Which decisions wait while a clinic's change window is closed, and which never do."""

from dataclasses import replace
from typing import Any

import pytest

from tool_sync.domain.events import FleetEvent, RolloutRolledBack, ToolHalted, VersionWithdrawn
from tool_sync.domain.fleet import Clinic, Rule, decide_tool

from ..builders import after
from ..fleets import ORG, fleet_of, ordered, published

OPENS = after(10_000)
HAD = {"book": "hash-book-1"}
BOTH = (published(), published(version=2), *ordered("r-1", 1))
"""Versions 1 and 2, and an order of 1: positions 1 to 4."""
NEWER = (*BOTH, *ordered("r-2", 2))


def shut(**fields: Any) -> Clinic:
    """A clinic with version 1 whose window is closed."""
    known = {"kept": HAD, "kept_since": 5, "opens_at": OPENS, "follows": {"book": ("r-1",)}}
    return Clinic(str(ORG), "basic", **{**known, **fields})


@pytest.mark.parametrize(
    ("clinic", "events", "rule"),
    [
        (shut(), NEWER, "window"),
        (shut(opens_at=None), NEWER, "order"),
        (shut(), BOTH, "order"),
        (shut(), (*BOTH, *ordered("none", None)), "window"),
        (shut(), (*BOTH, RolloutRolledBack("r-1", "book", "bad")), "window"),
        # Never delayed: closed, halted, switched off.
        (shut(closed=True), NEWER, "closed"),
        (shut(), (*NEWER, ToolHalted("book", "bad")), "halted"),
        (shut(disabled={"book"}), NEWER, "setting"),
        # A version for a higher tier takes the tool away by an order; a lower tier of the clinic by itself.
        (shut(), (*BOTH, published(version=3, tier="enterprise"), *ordered("r-3", 3)), "window"),
        (shut(), (published(tier="enterprise"), *ordered("r-1", 1)), "tier"),
        # What callers could not use is not held on to.
        (shut(), (published(contract=7), published(version=2), *ordered("r-1", 1), *ordered("r-2", 2)), "order"),
        (shut(), (*NEWER, VersionWithdrawn("book", 1, "wrong")), "window"),
        (shut(kept={"book": "of nobody"}), NEWER, "order"),
        # A tool that it never had.
        (shut(kept={"cancel": "x"}), NEWER, "window"),
        (shut(kept={"cancel": "x"}, kept_since=7), NEWER, "order"),
        (shut(kept={"cancel": "x"}, chosen_at={"book": 7}), NEWER, "order"),
        (shut(kept={"cancel": "x"}, tier_at=7), NEWER, "order"),
        (shut(kept={}, kept_since=None), NEWER, "order"),
        (shut(kept={}, kept_since=None), (*BOTH, *ordered("none", None)), "ordered to none"),
        # Its assistants are losing it.
        (shut(begun={"book": "none"}), (*BOTH, *ordered("none", None)), "ordered to none"),
        (shut(begun={"book": "r-2"}), NEWER, "window"),
        (shut(begun={"book": None}), (*BOTH, RolloutRolledBack("r-1", "book", "bad")), "no order"),
    ],
)
def test_what_waits(clinic: Clinic, events: tuple[FleetEvent, ...], rule: Rule) -> None:
    made = decide_tool(clinic, fleet_of(*events), "book")
    assert made.rule == rule
    assert made.keeps == (rule == "window")
    if rule == "window":
        open_again = decide_tool(replace(clinic, opens_at=None), fleet_of(*events), "book")
        assert made.order == open_again.order
        assert (made.version, made.retire_reason) == (None, None)
