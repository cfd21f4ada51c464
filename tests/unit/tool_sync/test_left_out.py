"""What people typed does not stand in a line that repeats it, and the rest of the line does."""

import pytest

from tool_sync.admin.support_bundle import figures_of, without_typed


@pytest.mark.parametrize(
    ("line", "typed", "left"),
    [
        (
            "booking was switched off by Lee: no; can book",
            ["no"],
            "booking was switched off by Lee: (left out); can book",
        ),
        ("nothing that is known: north", ["no"], "nothing that is known: north"),
        ("was switched off: the mother of X", ["mother", "the mother of X"], "was switched off: (left out)"),
        ("stopped for every clinic: a|b.*", ["a|b.*"], "stopped for every clinic: (left out)"),
        ("off: a+b", ["a+b"], "off: (left out)"),
    ],
)
def test_what_was_typed_is_left_out(line: str, typed: list[str], left: str) -> None:
    assert without_typed(line, sorted(typed, key=len, reverse=True)) == left


@pytest.mark.parametrize(
    "line",
    [
        'zerotouch_said{words="Wilhelmine"} 1', 'zerotouch_said{number="4915123456789"} 1', "other_total 1",
        "zerotouch_said 1 trailing", 'zerotouch_said{key="sk-1234"} 1', "# HELP zerotouch_said call +49 151 23456789",
    ],
)  # fmt: skip
def test_a_line_that_is_no_figure_of_ours_is_left_out(line: str) -> None:
    assert list(figures_of(line)) == []


@pytest.mark.parametrize(
    "line",
    [
        "# TYPE zerotouch_sync_duration_seconds histogram",
        'zerotouch_sync_duration_seconds_bucket{le="+Inf",outcome="synced"} 12.0',
        'zerotouch_vapi_call_duration_seconds_count{result="ok",route="PATCH /assistant/{id}"} 3',
        'zerotouch_tool_calls_total{code="TS-301",worker="2"} 1e+06',
    ],
)
def test_a_figure_of_ours_is_kept(line: str) -> None:
    assert list(figures_of(line)) == [line]
