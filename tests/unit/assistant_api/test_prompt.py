"""The marked block in the system prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant_api.prompt import BEGIN, END, tools_block, with_block, without_block
from zerotouch_contracts.tools import DEFINITIONS

BLOCK = tools_block(DEFINITIONS)


def test_the_block_describes_every_tool_and_every_argument() -> None:
    for definition in DEFINITIONS:
        assert definition.name in BLOCK
        for argument in definition.parameters_schema()["properties"]:
            assert f"- {argument} (" in BLOCK
    assert "- notes (optional)" in BLOCK
    assert "- patientName (required)" in BLOCK


@given(st.text())
def test_the_clinics_words_come_back_untouched(words: str) -> None:
    assert without_block(with_block(words, BLOCK)) == without_block(words)


@given(st.text())
def test_adding_the_block_twice_changes_nothing(words: str) -> None:
    once = with_block(words, BLOCK)
    assert with_block(once, BLOCK) == once


@given(st.text(alphabet=st.characters(blacklist_characters="<>")))
def test_words_without_markers_are_kept_to_the_byte(words: str) -> None:
    assert with_block(words, BLOCK) == (f"{words}\n\n{BLOCK}" if words else BLOCK)


@pytest.mark.parametrize("words", [f"a{BEGIN}b", f"a{END}b", f"{END}{BEGIN}", f"a\n\n{BEGIN}old{END}"])
def test_stray_markers_leave_exactly_one_block(words: str) -> None:
    prompt = with_block(words, BLOCK)
    assert (prompt.count(BEGIN), prompt.count(END)) == (1, 1)


def test_a_block_of_another_version_is_replaced() -> None:
    assert with_block(f"Words.\n\n{BEGIN}\nold\n{END}", BLOCK) == f"Words.\n\n{BLOCK}"


def test_a_block_that_was_cut_off_anywhere_leaves_nothing_behind() -> None:
    for length in range(len("<!-- zerotouch"), len(BLOCK)):
        cut = f"Words.\n\n{BLOCK[:length]}"
        assert without_block(cut) == "Words."
        assert with_block(cut, BLOCK) == f"Words.\n\n{BLOCK}"


def test_words_below_a_block_without_an_end_are_the_clinics() -> None:
    headless = BLOCK.removesuffix(END)
    assert (
        without_block(f"Words.\n\n{headless}\nOur hours: 9 to 5.\n- be kind")
        == "Words.\n\nOur hours: 9 to 5.\n- be kind"
    )
    assert without_block(f"Words.\n\n{headless}\nMore.\n\n{BLOCK}") == "Words.\n\nMore."


def test_words_between_a_typed_marker_and_the_block_are_the_clinics() -> None:
    assert without_block(f"Say {BEGIN} never.\n\n{BLOCK}") == "Say  never."
    assert without_block(f"Say {END} never.\n\n{BLOCK}") == "Say  never."


def test_halves_of_a_marker_that_meet_are_a_marker() -> None:
    nested = BEGIN.replace("touch", f"to{BEGIN}uch")
    assert without_block(f"a{nested}b") == "ab"
    once = with_block(nested, BLOCK)
    assert with_block(once, BLOCK) == once
