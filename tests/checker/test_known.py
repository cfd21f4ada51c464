"""I18, on histories that are made by hand: which creations name tools that their clinic's newest outcomes name."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.checker.history import Event, History
from tests.checker.rules.known import check

ORG, OTHER = "org-1", "org-2"
BEGAN = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOUR = 3600.0


def outcome(at: float, *tools: str, org: str = ORG, kind: str = "AssistantSynced") -> Event:
    """An outcome that was published ``at`` seconds after the beginning."""
    row = {"org_id": org, "type": kind, "recorded_at_text": (BEGAN + timedelta(seconds=at)).isoformat()}
    return Event(row, {"sequence": 1, "tools": [{"vapi_tool_id": tool} for tool in tools]}, {})


def broken(at: float, *outcomes: Event, made_with: tuple[str, ...] = ("tool-1",), ours: bool = True) -> int:
    """How many creations are wrong where a service makes one assistant of the clinic with these tools."""
    metadata = {"zerotouch_installation": "i", "organization_id": ORG, "agent_id": "a"}
    entry = {
        "sequence": 1,
        "route": "POST /assistant",
        "at": (BEGAN + timedelta(seconds=at)).isoformat(),
        "body": {"metadata": metadata, "model": {"toolIds": list(made_with)}},
    }
    history = SimpleNamespace(
        dump=SimpleNamespace(journal=[entry]), ours={1: ours}, installation="i", logs={"log": list(outcomes)}
    )
    result = check(cast(History, cast(Any, history)))
    assert result.judged == int(ours)
    return len(result.violations)


def test_a_creation_with_the_tools_of_the_newest_outcome_is_right() -> None:
    assert broken(60, outcome(0, "tool-0"), outcome(1, "tool-1")) == 0
    assert broken(6 * HOUR, outcome(0, "tool-1")) == 0
    assert broken(60, made_with=()) == 0


@pytest.mark.parametrize(
    "outcomes",
    [
        (),
        (outcome(90, "tool-1"),),
        (outcome(0, "tool-1", org=OTHER),),
        (outcome(0, "tool-1", kind="AssistantSyncFailed"),),
    ],
    ids=["nothing was told", "it was told later", "another clinic's", "of a failure"],
)
def test_a_creation_with_a_tool_that_no_outcome_of_its_clinic_names_is_wrong(outcomes: tuple[Event, ...]) -> None:
    assert broken(60, *outcomes) == 1


def test_an_outcome_that_was_followed_by_another_counts_until_that_must_have_been_heard_of() -> None:
    assert broken(60, outcome(0, "tool-1"), outcome(59)) == 0
    assert broken(600, outcome(0, "tool-1"), outcome(59)) == 1


def test_an_outcome_older_than_a_quarter_of_the_grace_is_known_no_more() -> None:
    assert broken(6 * HOUR + 120, outcome(0, "tool-1")) == 1


def test_what_somebody_else_makes_is_not_judged() -> None:
    assert broken(60, ours=False) == 0
