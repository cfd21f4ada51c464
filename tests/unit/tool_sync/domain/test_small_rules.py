"""What linking changes, whose version was read, when to try again."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from tool_sync.domain.linking import ModelProvenance, relinked, whose
from tool_sync.domain.plan.due import retry_at

from .builders import CANCEL, T0, assistant, ref


def test_a_tool_is_added_after_what_is_linked_already() -> None:
    assert relinked({"toolIds": ["foreign"]}, (), [ref()]) == ["foreign", "t-1"]


@pytest.mark.parametrize("model", [{}, {"toolIds": None}, {"toolIds": "t-1"}], ids=["absent", "null", "a text"])
def test_a_model_without_a_list_of_tools_gets_one(model: dict[str, Any]) -> None:
    assert relinked(model, (), [ref()]) == ["t-1"]


def test_what_is_linked_needs_no_write() -> None:
    assert relinked({"toolIds": ["x", "t-1", "y"]}, (ref(),), [ref()]) is None


def test_a_pinned_tool_counts_as_linked() -> None:
    pinned = {"toolRefs": [{"toolId": "t-1", "version": "v3"}, "nonsense", {"version": "v1"}]}

    assert relinked(pinned, (), [ref()]) is None
    assert relinked(pinned, (), [ref(), ref(CANCEL, "t-2")]) == ["t-2"]


def test_a_tool_of_ours_that_is_no_longer_wanted_is_taken_out_and_foreign_ones_stay_in_place() -> None:
    before = (ref(tool_id="old"), ref(CANCEL, "t-2"))

    assert relinked({"toolIds": ["x", "old", "y", "t-2"]}, before, [ref(tool_id="new")]) == ["x", "y", "new"]


IDS = st.sampled_from(["x", "y", "t-1", "t-2", "old"])


@for_all(current=st.lists(IDS), pinned=st.lists(IDS))
def test_linking_twice_changes_nothing_the_second_time(current: list[str], pinned: list[str]) -> None:
    model: dict[str, object] = {"toolIds": current, "toolRefs": [{"toolId": tool_id} for tool_id in pinned]}
    before, target = (ref(tool_id="old"),), [ref(), ref(CANCEL, "t-2")]

    new = relinked(model, before, target)
    after = current if new is None else new

    assert relinked({**model, "toolIds": after}, target, target) is None
    assert {"t-1", "t-2"} <= set(after) | set(pinned)
    assert "old" not in after
    assert [i for i in after if i in ("x", "y")] == [i for i in current if i in ("x", "y")]


CURRENT, OUTDATED, FOREIGN = ModelProvenance
SAVES = ((1, "m1"), (2, "m2"), (3, "m3"))


OURS = {"base_hash": "m3", "written_hash": "w", "linked_revision": 3}
ON_TOP = {"base_hash": "foreign", "written_hash": "foreign", "linked_revision": 3}


@pytest.mark.parametrize(
    ("row", "seen", "expected"),
    [
        pytest.param({"saved": SAVES}, "m3", CURRENT, id="the newest save"),
        pytest.param({"saved": ()}, "m9", CURRENT, id="nothing was saved yet"),
        pytest.param({"saved": SAVES, **OURS}, "w", CURRENT, id="our own write on it"),
        pytest.param({"saved": SAVES, **ON_TOP}, "foreign", CURRENT, id="our own write on top of somebody's"),
        pytest.param({"saved": SAVES}, "m1", OUTDATED, id="an older save"),
        pytest.param({"saved": SAVES, **OURS, "linked_revision": 2}, "w", OUTDATED, id="our older write"),
        pytest.param({"saved": SAVES, **ON_TOP, "linked_revision": 2}, "foreign", OUTDATED, id="its older base"),
        pytest.param({"saved": SAVES}, "m9", FOREIGN, id="somebody else"),
        pytest.param({"saved": SAVES, **OURS}, "m9", FOREIGN, id="somebody else, after us"),
        pytest.param({"saved": ((1, "m1"), (2, "m2"), (3, "m1"))}, "m1", CURRENT, id="saved as it was before"),
    ],
)
def test_whose_version_is_read_follows_from_saves_and_our_own_write(
    row: dict[str, Any], seen: str, expected: ModelProvenance
) -> None:
    assert whose(assistant(**row), seen) is expected


@for_all(failures=st.integers(1, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_the_wait_is_drawn_from_all_of_a_ceiling_that_doubles_up_to_its_limit(failures: int, jitter: float) -> None:
    wait = retry_at(T0, failures, jitter, seconds_base=1, seconds_max=300) - T0
    ceiling = min(300, 2 ** min(failures - 1, 20))

    assert wait == timedelta(seconds=ceiling * jitter)
