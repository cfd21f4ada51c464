"""Everything that Vapi stores is read, and goes out with the same content."""

import json as stdlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerotouch_contracts.canonical import canonical_hash, model_hash
from zerotouch_platform.vapi import json
from zerotouch_platform.vapi.json import DEPTH_MAX, Number, Unreadable, UnreadableItem

TEXT = st.text(st.characters(exclude_categories=()))
"""Any code points: surrogates, controls, U+0000, U+2028."""
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@st.composite
def documents(draw: st.DrawFn, depth: int = 3) -> str:
    """The text of a JSON value, numbers spelled in every way, keys in any order and twice."""
    kinds = ["number", "text", "word"] + (["object", "array"] if depth else [])
    match draw(st.sampled_from(kinds)):
        case "number":
            return draw(NUMBERS)
        case "text":
            return stdlib.dumps(draw(TEXT))
        case "array":
            return "[" + ",".join(draw(st.lists(documents(depth - 1), max_size=4))) + "]"
        case "object":
            fields = draw(st.dictionaries(TEXT.map(stdlib.dumps), documents(depth - 1), max_size=4))
            return "{" + ",".join(f"{key}:{value}" for key, value in fields.items()) + "}"
    return draw(st.sampled_from(["true", "false", "null"]))


@given(documents())
def test_what_is_read_and_written_back_is_the_same_to_the_byte(text: str) -> None:
    # Python and JavaScript escape alike but for the halves of a pair that stand side by side: one character either way.
    once = json.write(json.read(text.encode()))

    assert once == text.encode()
    assert json.write(json.read(once)) == once


@given(documents())
def test_every_value_that_can_be_read_can_be_hashed_and_the_spelling_of_it_does_not_matter(text: str) -> None:
    value = json.read(text.encode())

    assert canonical_hash(value) == canonical_hash(json.read(json.write(value)))
    assert len(model_hash({"x": value})) == 64


@given(TEXT)
def test_text_comes_back_as_it_was_also_where_it_is_sent_raw(text: str) -> None:
    # Python's escape of a pair of halves and of the whole character are the same JSON.
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    raw = stdlib.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")

    assert json.read(raw) == whole
    assert json.read(json.write(text)) == whole


@pytest.mark.parametrize(
    ("raw", "out"),
    [
        (b'"\\ud83d"', b'"\\ud83d"'),
        (b'"\xed\xa0\xbd"', b'"\\ud83d"'),
        (b'"\xed\xa0\xbd\xed\xb8\x80"', b'"\\ud83d\\ude00"'),
        (b'\xef\xbb\xbf{"a":1}', b'{"a":1}'),
        (b'\xef\xbb\xbf"\xed\xa0\xbd"', b'"\\ud83d"'),
        (b'"a\x00\x01\n\xe2\x80\xa8"', b'"a\\u0000\\u0001\\n\\u2028"'),
        (b'{"b":1,"a":2,"b":3}', b'{"b":3,"a":2}'),
        (b"[9007199254740993,250.0,1e21,-0,-0.0,1.10,1E400,-1e999,1e-400]",) * 2,
        (b"[" + b"7" * 5000 + b"]",) * 2,
        (b"[NaN,-Infinity]", b"[null,null]"),
        (b'{"":{},"x":[]}', b'{"":{},"x":[]}'),
        (b'{"":{},"x":[],"n":1E9}', b'{"":{},"x":[],"n":1E9}'),
    ],
)
def test_what_javascript_stores_goes_out_as_it_came_in(raw: bytes, out: bytes) -> None:
    value = json.read(raw)

    assert json.write(value) == out
    assert len(canonical_hash(value)) == 64


def test_numbers_count_as_what_they_are() -> None:
    big, least, beyond = json.read(b"[1e21,-0,1E400]")

    assert (big, least, beyond) == (10**21, 0, math.inf)
    assert canonical_hash(big) == canonical_hash(10**21)
    assert canonical_hash(json.read(b"1.10")) == canonical_hash(1.1)
    assert canonical_hash(json.read(b"1E400")) == canonical_hash(json.read(b"1e400")) != canonical_hash("1E400")
    assert json.write(float("inf")) == b"null"


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"\xff", b'"\xc3', b"<html>", b"{'a':1}", b"1 2", b"[" * 100_000, b"[" * 300 + b"]" * 300, b"\x00"],
)
def test_what_is_no_json_is_unreadable_and_nothing_worse(raw: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        json.read(raw)
    assert "html" not in str(caught.value)


def test_the_limit_of_depth_leaves_room_for_writing_and_hashing() -> None:
    deepest = b"[" * DEPTH_MAX + b"1e9" + b"]" * DEPTH_MAX

    value = json.read(deepest)

    assert json.write(value) == deepest
    assert len(canonical_hash(value)) == 64
    with pytest.raises(Unreadable):
        json.read(b"[" + deepest + b"]")


DEEP = b'{"x":' + b"[" * 50_000 + rb'"]}\",{"' + b"]" * 50_000 + b"}"


@pytest.mark.parametrize("bad", [DEEP, b"nonsense", b'{"a":01}', b'{"a":tru}'])
def test_one_unreadable_item_spoils_none_of_the_others(bad: bytes) -> None:
    found = json.read_list(b' [ {"id":"a","t":"],[{\\""} , ' + bad + b', {"id":"b"} ] ')

    assert found[0] == {"id": "a", "t": '],[{"'}
    assert found[1] == UnreadableItem(bad.decode())
    assert found[2] == {"id": "b"}


@pytest.mark.parametrize("raw", [b"{}", b"null", b"[1", b"[1]]", b"[x] [", b"", b"<html>", b"[{]"])
def test_what_is_no_list_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        json.read_list(raw)


@given(st.lists(documents(2), max_size=6), st.integers(0, 6))
def test_an_item_that_is_cut_out_is_the_only_one_that_is_lost(texts: list[str], at: int) -> None:
    items: list[Any] = [json.read(text.encode()) for text in texts]
    broken = [*texts[:at], "01", *texts[at:]]

    found = json.read_list(("[" + ",".join(broken) + "]").encode())

    place = min(at, len(items))
    assert found == [*items[:place], UnreadableItem("01"), *items[place:]]


def test_a_number_survives_a_copy() -> None:
    import copy

    assert copy.deepcopy(Number("1e21")).spelling == "1e21"
