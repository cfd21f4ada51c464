"""Taking our block out of a prompt: the same as layer by layer, in time that grows with its length."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.growth import GROWTH_MAX, growth

from assistant_api.prompt import lines
from assistant_api.prompt.lines import BEGIN, END, LAYERS_MAX, RULE, with_block, without_block
from assistant_api.prompt.messages import with_tools

# As it was until this test: an expression that backtracks, repeated until nothing changes.
_BLOCK = re.compile(rf"(?:\n\n)?{re.escape(BEGIN)}(?:(?!{re.escape(BEGIN)}).)*?{re.escape(END)}", re.DOTALL)
PIECES = (
    BEGIN, END, *(mark[:cut] for mark in (BEGIN, END) for cut in (5, 9, 15, 20)),
    *(mark[cut:] for mark in (BEGIN, END) for cut in (9, 15, 20)), BEGIN[:-1], "\n", "\n\n", "a", " ", ">", RULE,
    "\n- x (required): y", "\nfoo: bar", "\nbookClinicAppointment: t", "\n- x", "\nYou can",
)  # fmt: skip
BLOCK = f"{BEGIN}\n{RULE}\n{END}"


def layer_by_layer(prompt: str, tools: tuple[str, ...]) -> str | None:
    """The clinic's words by the definition; None where more layers lie one in another than are taken off."""
    for _ in range(LAYERS_MAX):
        rest = lines._without_end(lines._without_unclosed(_BLOCK.sub("", prompt), tools))
        rest = rest.replace(BEGIN, "").replace(END, "")
        if "<!-- " not in prompt or rest == prompt:
            return prompt
        prompt = rest
    return None


@settings(max_examples=1000, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join), st.sampled_from([(), ("foo",)]))
def test_a_prompt_of_any_pieces_is_taken_apart_as_layer_by_layer(prompt: str, tools: tuple[str, ...]) -> None:
    words = without_block(prompt, tools)
    if (expected := layer_by_layer(prompt, tools)) is not None:
        assert words == expected
    assert not lines.is_marked(words)
    once = with_block(prompt, BLOCK)
    assert with_block(once, BLOCK) == once


NESTED = {
    "markers": lambda n: BEGIN * (n // 24),
    "ends": lambda n: END * (n // 25),
    "blocks": lambda n: (BEGIN + END) * (n // 49),
    "halves around halves": lambda n: BEGIN[:15] * (n // 24) + BEGIN + BEGIN[15:] * (n // 24),
    "halves of ends": lambda n: END[:9] * (n // 25) + BEGIN + END[9:] * (n // 25),
    "pieces of a marker": lambda n: "<!-- zerotouch" * (n // 14),
    "one that does not end": lambda n: BEGIN + "a" * n,
    "many that do not end": lambda n: f"{BEGIN}\n{RULE}\nThis clinic's services: " * (n // 150),
    "empty lines": lambda n: BEGIN + "\n" * n,
    "arguments": lambda n: BEGIN + "\n- a (required)" * (n // 15),
    "an argument": lambda n: f"{BEGIN}\n- {'a' * n}",
    "beginnings of comments": lambda n: "<!-- " * (n // 5),
}


@pytest.mark.parametrize("make", NESTED.values(), ids=NESTED)
def test_the_worst_prompts_take_time_with_their_length_alone(make: Callable[[int], str]) -> None:
    assert growth(without_block, make, 200_000) <= GROWTH_MAX
    assert not lines.is_marked(without_block(make(20_000)))


@pytest.mark.parametrize("make", NESTED.values(), ids=NESTED)
def test_so_do_messages_of_them(make: Callable[[int], str]) -> None:
    def put_in(prompt: str) -> list[object]:
        messages = [{"role": "system", "content": make(1000)}] * (len(prompt) // 1000)
        return with_tools(messages, None, BLOCK)

    assert growth(put_in, make, 200_000) <= GROWTH_MAX


def test_the_expression_of_before_is_what_this_test_finds() -> None:
    def until_nothing_changes(prompt: str) -> str:
        while (rest := _BLOCK.sub("", prompt).replace(BEGIN, "").replace(END, "")) != prompt:
            prompt = rest
        return prompt

    assert growth(until_nothing_changes, NESTED["halves around halves"], 8_000, seconds_max=1.0) > GROWTH_MAX


def test_halves_beyond_all_layers_are_broken_and_the_other_words_kept() -> None:
    depth = 2 * LAYERS_MAX
    words = without_block(f"Before. {BEGIN[:15] * depth}{BEGIN}{BEGIN[15:] * depth} After.")
    assert words.startswith("Before. (")
    assert words.endswith(" After.")
