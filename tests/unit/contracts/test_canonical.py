"""Two services that hash the same document get the same hash, however it was written."""

import json
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotouch_contracts import canonical
from zerotouch_contracts.canonical import canonical_hash, canonical_json, model_hash
from zerotouch_platform.vapi.json import Number

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


@given(JSON)
def test_the_order_of_keys_does_not_matter(value: Any) -> None:
    assert canonical_hash(value) == canonical_hash(reversed_keys(value))


@given(JSON)
def test_a_document_that_was_sent_and_read_back_has_the_same_hash(value: Any) -> None:
    assert canonical_hash(json.loads(json.dumps(value))) == canonical_hash(value)


@given(JSON)
def test_the_canonical_form_is_json_of_the_same_value(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.integers(-(2**53), 2**53))
def test_a_whole_float_is_its_integer(number: int) -> None:
    assert canonical_hash({"timeoutSeconds": float(number)}) == canonical_hash({"timeoutSeconds": number})
    assert canonical_json([20.0]) == b"[20]"


EVERYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**63 - 2, 2**64 + 2)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(0, 1e-3)
    | st.decimals(-100, 100, places=2).map(float)
    | st.text(st.characters())  # lone surrogates too
    | st.sampled_from(
        [Number("1e21"), Number("-0"), Number("1E400"), Number("1.10"), 1e16, 123456789012345680.0, 5e-324]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(st.text(st.characters()), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=500)
@given(EVERYTHING)
def test_the_quick_encoder_writes_the_bytes_of_the_one_that_defines_the_form(value: Any) -> None:
    assert canonical_json(value) == canonical._spelt(value)


class Color(Enum):
    RED = "red"


@pytest.mark.parametrize(
    "value", [{"at": datetime.now(UTC)}, {"at": date.today()}, {1, 2}, b"bytes", [uuid4()], {"a": Color.RED}]
)
def test_what_json_does_not_have_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_deep_documents_hash_as_before() -> None:
    deep: Any = "end"
    for _ in range(400):
        deep = {"in": [deep]}
    assert canonical_json(deep) == canonical._spelt(deep)


def test_what_differs_has_another_hash() -> None:
    different: list[Any] = [
        0,
        1,
        "1",
        True,
        False,
        None,
        [],
        {},
        "",
        [1],
        [[1]],
        {"a": 1},
        {"a": "1"},
        1.5,
        [1, 2],
        [2, 1],
    ]

    assert len({canonical_hash(value) for value in different}) == len(different)


def test_tuples_are_arrays_and_text_is_utf_8() -> None:
    assert canonical_json(("Mühlbach",)) == '["Mühlbach"]'.encode()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"x": number})


@given(links=st.lists(st.text()), refs=st.none() | st.lists(st.dictionaries(st.text(), st.text())))
def test_the_model_hash_does_not_see_tool_links(links: list[str], refs: Any) -> None:
    model = {"provider": "openai", "model": "gpt-4o", "tools": [{"type": "endCall"}]}

    assert model_hash({**model, "toolIds": links, "toolRefs": refs}) == model_hash(model)
    assert model_hash({**model, "tools": []}) != model_hash(model)


def test_an_assistant_without_a_model_hashes_as_an_empty_one() -> None:
    assert model_hash(None) == model_hash({}) == model_hash({"toolIds": ["x"]})
