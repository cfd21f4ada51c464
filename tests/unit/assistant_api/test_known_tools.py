"""Which tools a new assistant is made with: those that nobody can be about to delete, and no others."""

from uuid import UUID

import pytest

from assistant_api.document import AgentMarker, AssistantSpec, creation
from assistant_api.known_tools import BEHIND_SECONDS_MAX, KnownTools, usable

GRACE = 86_400.0
YOUNG = KnownTools("platform", ("tool-1", "tool-2"), 5.0)


def used(known: KnownTools | None = YOUNG, *, account: str = "platform", behind: float = 0.0) -> list[str]:
    return usable(known, vapi_account=account, grace_seconds=GRACE, behind_seconds=behind)


def test_a_young_outcome_of_this_account_is_used_whole() -> None:
    assert used() == ["tool-1", "tool-2"]


@pytest.mark.parametrize(("age_seconds", "count"), [(0.0, 2), (GRACE / 4 - 1, 2), (GRACE / 4, 0), (GRACE, 0)])
def test_an_outcome_is_used_for_a_quarter_of_the_grace(age_seconds: float, count: int) -> None:
    assert len(used(KnownTools("platform", ("tool-1", "tool-2"), age_seconds))) == count


def test_nothing_is_known_of_a_clinic_that_nothing_was_heard_of() -> None:
    assert used(None) == []


def test_an_outcome_without_tools_says_that_there_are_none() -> None:
    assert used(KnownTools("platform", (), 5.0)) == []


def test_ids_of_another_account_mean_nothing_here() -> None:
    assert used(account="another") == []


@pytest.mark.parametrize(("behind", "count"), [(BEHIND_SECONDS_MAX, 2), (BEHIND_SECONDS_MAX + 1, 0), (float("inf"), 0)])
def test_a_consumer_that_is_behind_does_not_know_the_newest_outcome(behind: float, count: int) -> None:
    assert len(used(behind=behind)) == count


def test_a_creation_names_them_in_its_model_and_one_without_any_says_nothing_of_tools() -> None:
    attempt_id = UUID(int=3)
    spoken, mark = AssistantSpec("Reception", None, None, None, None), AgentMarker(UUID(int=1), UUID(int=2), "a")
    default = {"provider": "openai", "model": "gpt-4o"}
    made = creation(spoken, "", mark, default, attempt_id, ["tool-1"])
    assert made["model"]["toolIds"] == ["tool-1"]
    assert "toolIds" not in creation(spoken, "", mark, default, attempt_id)["model"]
