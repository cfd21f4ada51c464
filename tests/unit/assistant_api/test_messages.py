"""Where our block stands among the messages of a model, whatever else is there."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant_api.document import AssistantSpec, changes
from assistant_api.prompt.block import ClinicFacts, prompt_block
from assistant_api.prompt.described import of_definition
from assistant_api.prompt.lines import BEGIN, END
from assistant_api.prompt.messages import with_tools, without_tools
from zerotouch_contracts.tools import DEFINITIONS

BLOCK = prompt_block(ClinicFacts("Europe/Berlin", services=("Check-up",)), map(of_definition, DEFINITIONS))
OURS = {"role": "system", "content": BLOCK}
USER = {"role": "user", "content": "Hi"}
PARTS = {"role": "system", "content": [{"type": "text", "text": "You are …"}], "cache": True}

NO_TEXT: dict[str, Any] = {
    "parts": PARTS,
    "no parts": {"role": "system", "content": []},
    "null": {"role": "system", "content": None},
    "none": {"role": "system"},
    "an object": {"role": "system", "content": {"text": "You are …"}},
    "a number": {"role": "system", "content": 7},
}


@pytest.mark.parametrize("prompt", [None, "Be kind."])
@pytest.mark.parametrize("foreign", NO_TEXT.values(), ids=NO_TEXT.keys())
def test_a_system_message_that_is_no_text_is_left_alone_and_ours_put_beside_it(
    foreign: Any, prompt: str | None
) -> None:
    once = with_tools([USER, foreign, USER], prompt, BLOCK)

    content = BLOCK if prompt is None else f"{prompt}\n\n{BLOCK}"
    assert once == [USER, foreign, {"role": "system", "content": content}, USER]
    assert with_tools(once, prompt, BLOCK) == once
    left = [] if prompt is None else [{"role": "system", "content": prompt}]
    assert without_tools(once) == [USER, foreign, *left, USER]


def test_a_text_behind_what_is_no_text_is_the_clinics() -> None:
    second = {"role": "system", "content": "Second."}
    assert with_tools([PARTS, second], "Be kind.", BLOCK) == [
        PARTS,
        {"role": "system", "content": f"Be kind.\n\n{BLOCK}"},
        second,
    ]


def test_of_several_marked_messages_one_stays_marked() -> None:
    messages = [
        {"role": "system", "content": f"First.\n\n{BEGIN}old{END}", "extra": 1},
        USER,
        {"role": "system", "content": f"Second.\n\n{BLOCK}"},
        OURS,
    ]

    once = with_tools(messages, None, BLOCK)

    assert once == [
        {"role": "system", "content": f"First.\n\n{BLOCK}", "extra": 1},
        USER,
        {"role": "system", "content": "Second."},
    ]
    assert with_tools(once, None, BLOCK) == once


@pytest.mark.parametrize("role", ["user", "assistant", "tool", "System", None, 7])
def test_a_block_in_a_message_of_another_role_is_not_ours_to_rewrite(role: Any) -> None:
    copied = {"role": role, "content": f"Look:\n\n{BLOCK}"}
    assert with_tools([copied], None, BLOCK) == [OURS, copied]
    assert without_tools([OURS, copied]) == [copied]


@pytest.mark.parametrize("message", ["text", 7, None, [], ["role"]])
def test_what_is_no_message_is_left_alone(message: Any) -> None:
    assert with_tools([message], None, BLOCK) == [OURS, message]
    assert without_tools([OURS, message]) == [message]


def test_taking_ours_out_gives_back_what_was_there() -> None:
    for messages in ([USER], [PARTS], [{"role": "system", "content": "Words."}, USER], [USER, PARTS, USER]):
        assert without_tools(with_tools(messages, None, BLOCK)) == messages


_CONTENT = st.one_of(
    st.none(),
    st.integers(),
    st.lists(st.just({"type": "text", "text": "x"}), max_size=2),
    st.text(max_size=5),
    st.lists(st.sampled_from(["a", "\n\n", BEGIN, END, BLOCK, BLOCK[:200], BEGIN[:9], "- x (re"]), max_size=5).map(
        "".join
    ),
)
_MESSAGE = st.fixed_dictionaries({"role": st.sampled_from(["system", "user"]), "content": _CONTENT})


@given(st.lists(_MESSAGE, max_size=4), st.one_of(st.none(), st.text(max_size=5)))
def test_whatever_is_there_there_is_one_block_and_twice_is_once(messages: list[Any], prompt: str | None) -> None:
    once = with_tools(messages, prompt, BLOCK)

    texts = [item["content"] for item in once if item["role"] == "system" and isinstance(item["content"], str)]
    assert [sum(text.count(marker) for text in texts) for marker in (BEGIN, END)] == [1, 1]
    assert with_tools(once, prompt, BLOCK) == once
    assert [item for item in once if item["role"] == "user"] == [item for item in messages if item["role"] == "user"]


def _changed(model: dict[str, Any], prompt: str | None) -> Any:
    document = {"name": "A", "model": {"provider": "openai", "model": "gpt-4o", **model}}
    once = {**document, **changes(document, AssistantSpec("A", prompt, None, None, None), BLOCK, {})}
    assert changes(once, AssistantSpec("A", prompt, None, None, None), BLOCK, {}) == {}
    return once["model"]


def test_a_legacy_system_prompt_becomes_the_system_message() -> None:
    model = _changed({"systemPrompt": "Words.", "temperature": 0.5}, None)
    assert model["messages"] == [{"role": "system", "content": f"Words.\n\n{BLOCK}"}]
    assert "systemPrompt" not in model
    assert model["temperature"] == 0.5


def test_a_rows_prompt_replaces_a_legacy_one() -> None:
    for messages in ([], [{"role": "system", "content": "Old."}]):
        model = _changed({"systemPrompt": "Old.", "messages": messages}, "New.")
        assert model["messages"] == [{"role": "system", "content": f"New.\n\n{BLOCK}"}]
        assert "systemPrompt" not in model


def test_a_legacy_system_prompt_beside_a_system_message_is_left_alone() -> None:
    model = _changed({"systemPrompt": "Other words.", "messages": [{"role": "system", "content": "Words."}]}, None)
    assert model["systemPrompt"] == "Other words."
    assert model["messages"] == [{"role": "system", "content": f"Words.\n\n{BLOCK}"}]


@pytest.mark.parametrize("legacy", [None, 7, ["x"]])
def test_a_legacy_system_prompt_that_is_no_text_is_left_alone(legacy: Any) -> None:
    assert _changed({"systemPrompt": legacy}, None)["systemPrompt"] == legacy
