"""Whose step is a save's: the lane is decided for each step, and one open save lifts nothing else of its org."""

from dataclasses import replace

from tool_sync.domain.events import Event, OrgSettled, OrgTierChanged, SyncRequested, ToolOrdered
from tool_sync.domain.plan.assistants import agents_with_work
from tool_sync.domain.plan.lanes import CAUSE_BULK, in_lanes
from tool_sync.domain.plan.situation import OrgWide, RunProgress
from tool_sync.domain.plan.steps import LinkAssistant, RegisterTool, SearchSurplus, SweepTools, UpdateTool

from .builders import (
    BOOK,
    T0,
    asked,
    assistant,
    given,
    linking,
    plan,
    ref,
    registered,
    registering,
    updating,
)

HAVE = (registering(), registered())


def bulk(n: int, agent_id: str, revision: int = 1) -> SyncRequested:
    return replace(asked(n, agent_id, revision), cause=CAUSE_BULK)


def lanes(*events: Event, at: float = 0, progress: RunProgress | None = None) -> list[tuple[str, str]]:
    made = plan(given(*events), *map(assistant, "abcd"), at=at, progress=progress)
    return [(step.subject, step.lane) for step in made.steps]


def test_the_link_of_a_save_is_a_saves_and_comes_first_and_the_others_of_its_org_stay_bulk() -> None:
    assert lanes(*HAVE, bulk(1, "a"), bulk(2, "b"), asked(3, "c"), bulk(4, "d")) == [
        ("agent:c", "save"),
        ("agent:a", "bulk"),
        ("agent:b", "bulk"),
        ("agent:d", "bulk"),
    ]


def test_a_tool_that_an_open_save_waits_for_is_a_saves_step() -> None:
    assert lanes(bulk(1, "a"), asked(2, "b")) == [("tool:book", "save")]
    assert lanes(bulk(1, "a")) == [("tool:book", "bulk")]


def test_an_assistant_with_bulk_work_and_a_save_is_a_saves() -> None:
    assert lanes(*HAVE, bulk(1, "a"), asked(2, "a", 2)) == [("agent:a", "save")]


def test_what_an_org_wide_change_asks_for_is_bulk_beside_a_save() -> None:
    progress = RunProgress(org_wide=OrgWide((ref(),), frozenset("ab"), True, False))
    assert lanes(*HAVE, OrgTierChanged("basic"), asked(1, "b"), progress=progress) == [
        ("agent:b", "save"),
        ("agent:a", "bulk"),
    ]


def test_a_halt_passes_all_bulk_work_until_it_is_settled_and_an_order_does_not() -> None:
    progress = RunProgress(org_wide=OrgWide((ref(),), frozenset("ab"), True, False))
    halt, order = ToolOrdered("cancel", None, halt=True), ToolOrdered("cancel", "r-1")

    assert lanes(*HAVE, halt, progress=progress) == [("agent:a", "save"), ("agent:b", "save")]
    assert lanes(*HAVE, order, progress=progress) == [("agent:a", "bulk"), ("agent:b", "bulk")]
    assert lanes(*HAVE, halt, OrgSettled(3), bulk(1, "a")) == [("agent:a", "bulk")]


def test_a_lost_answer_is_looked_up_in_the_lane_of_what_waits_for_it() -> None:
    assert lanes(*HAVE, bulk(1, "a"), asked(2, "b"), linking(agent_id="a"), at=30) == [
        ("agent:b", "save"),
        ("agent:a", "bulk"),
    ]
    assert lanes(*HAVE, bulk(1, "a"), asked(2, "b"), linking(agent_id="b"), at=30)[0] == ("agent:b", "save")
    assert lanes(*HAVE, bulk(1, "a"), asked(2, "b"), updating(), at=30) == [("tool:book", "save")]
    assert lanes(*HAVE, bulk(1, "a"), updating(), at=30) == [("tool:book", "bulk")]


def test_sweeps_and_searches_are_never_a_saves() -> None:
    steps = (SweepTools(()), SearchSurplus((), T0, T0))
    assert [step.lane for step in in_lanes(steps, given(asked()))] == ["bulk", "bulk"]


def test_only_saves_are_read_ahead_also_beside_a_save_of_their_org() -> None:
    made = plan(given(bulk(1, "a"), asked(2, "b")), assistant("a"), assistant("b"))
    assert [link.assistant.agent_id for link in made.ahead] == ["b"]
    assert plan(given(bulk(1, "a"))).ahead == ()


def test_a_run_takes_up_the_assistants_of_saves_before_all_others() -> None:
    state = given(*(bulk(n, f"bulk-{n}") for n in range(50)), asked(60, "saved"), asked(61, "bulk-7", 2))
    assert agents_with_work(state, T0)[:3] == ("bulk-7", "saved", "bulk-0")
    assert len(agents_with_work(state, T0)) == 51


def test_a_step_is_the_same_step_in_either_lane() -> None:
    assert RegisterTool(BOOK) == RegisterTool(BOOK, lane="save")
    assert UpdateTool(BOOK, ref(), lane="save") == UpdateTool(BOOK, ref())
    assert LinkAssistant(assistant(), (), 1) != LinkAssistant(assistant(), (), 2)
