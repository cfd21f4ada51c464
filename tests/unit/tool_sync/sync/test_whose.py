"""In which account a clinic is worked for: what its newest save says, and what becomes of tools in the one before."""

from dataclasses import replace

import pytest

from tool_sync.domain.events import SyncRequested, ToolVanished
from tool_sync.domain.plan import next_steps
from tool_sync.domain.plan.situation import RunProgress, Situation
from tool_sync.domain.plan.tools import has_moved
from tool_sync.domain.wanted import Wanted
from tool_sync.sync.whose import PLATFORM, account_of_newest_save

from ..domain.builders import BOOK, POLICY, after, asked, assistant, given, ref, registered, registering, then

OWN = "vapi-1"


def in_account(request: SyncRequested, account: str | None) -> SyncRequested:
    return replace(request, account=account)


def test_where_nothing_is_open_no_save_says_anything() -> None:
    assert account_of_newest_save(given(), {}) is None


def test_the_newest_save_says_it_of_all() -> None:
    state = given(in_account(asked(1, "a"), None), in_account(asked(2, "b"), OWN))
    assert account_of_newest_save(state, {}) == OWN
    assert account_of_newest_save(then(state, asked(3, "c")), {}) == PLATFORM


def test_a_deleted_assistant_says_nothing() -> None:
    state = given(in_account(asked(1, "a"), OWN), asked(2, "b"))
    assert account_of_newest_save(state, {"b": assistant("b", removed=True)}) == OWN
    assert account_of_newest_save(state, {"b": assistant("b")}) == PLATFORM


@pytest.mark.parametrize(
    ("before", "now", "moved"),
    [
        ("platform", "platform", False),
        ("platform", "renamed", False),
        ("platform", OWN, True),
        (OWN, "platform", True),
        (OWN, "vapi-2", True),
        (OWN, OWN, False),
    ],
)
def test_only_to_or_from_an_account_of_its_own_a_clinic_moves(before: str, now: str, moved: bool) -> None:
    assert has_moved(before, now) == moved


def test_tools_of_the_account_before_are_forgotten_before_anything_is_made_or_linked() -> None:
    state = then(given(registering(), registered()), in_account(asked(), OWN))
    situation = Situation(state, {"a": assistant()}, Wanted((BOOK,)), after(1), POLICY, RunProgress(), OWN)
    plan = next_steps(situation)
    assert plan.steps == ()
    assert plan.commands == (ToolVanished("platform", *ref().fields),)
    same = next_steps(replace(situation, account="platform"))
    assert not any(isinstance(command, ToolVanished) for command in same.commands)
