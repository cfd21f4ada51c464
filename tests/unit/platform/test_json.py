"""What Vapi stores is read, and written back as it came."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerotouch_contracts.canonical import canonical_hash, model_hash
from zerotouch_platform.vapi.json import Spelled, read, write

SAME = [
    b'{"a":1e21,"b":250.0,"c":9007199254740993,"d":-0,"e":1E400,"f":1.5E-7,"g":0.1}',
    b'["\\ud83d","\\ude00\\ud83d","\\u0000","\\u2028","\\u202e"]',
    b"[" + b"9" * 5000 + b"]",
    b'{"b":1,"a":{"z":null,"y":true}}',
]


@pytest.mark.parametrize("raw", SAME)
def test_what_is_read_goes_back_to_the_byte(raw: bytes) -> None:
    assert write(read(raw)) == raw


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"a":"x\ny\x01"}', {"a": "x\ny\x01"}),
        (b'"\xed\xa0\xbd"', "\ud83d"),
        ('"\u20ac\U0001f600"'.encode(), "\u20ac\U0001f600"),
    ],
)
def test_what_is_no_strict_json_is_read_all_the_same(raw: bytes, value: object) -> None:
    assert read(raw) == value
    assert read(write(value)) == value


@pytest.mark.parametrize("raw", [b"", b"<html>", b"{", b"\xff", b'{"a":}', b"[" * 100_000])
def test_what_is_no_json_is_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever its text
        read(raw)


def test_a_number_in_its_own_spelling_is_still_that_number() -> None:
    assert read(b"1e21") == 10**21
    assert read(b"1e21") == 1e21 == read(b"1E+21")
    assert read(b"[0.30]") == [0.3]
    assert read(b"1e21") != "1e21"
    assert Spelled("1") != True  # noqa: E712 - a number is no truth
    assert math.isinf(float(read(b"1E400")))


def test_no_text_is_taken_for_a_number() -> None:
    spelled = read(b"1e21")
    for text in (str(spelled), "\ufdd0", "\ufdd01e21", json.dumps("\ufdd0")):
        assert read(write({"text": text, "number": spelled})) == {"text": text, "number": spelled}
        assert write([text]).startswith(b'["')


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_every_json_value_survives_and_has_one_hash(value: object) -> None:
    again = read(write(value))
    assert again == value
    assert canonical_hash(again) == canonical_hash(value)


@pytest.mark.parametrize("raw", [*SAME, b'{"a":NaN,"b":Infinity}'])
def test_a_hash_is_made_of_everything_that_can_be_read(raw: bytes) -> None:
    assert model_hash({"model": read(raw)}) == model_hash({"model": read(write(read(raw)))})


def test_both_spellings_of_a_whole_number_have_one_hash() -> None:
    assert canonical_hash(read(b"[1e21,20]")) == canonical_hash(read(b"[1E+21,20.0]"))
