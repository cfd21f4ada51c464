"""JSON as JavaScript has it: stored as sent, never refused, and the same bytes after a change of something else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vapi_sandbox.javascript import from_json, to_json

from .caller import Caller

JSON = {"content-type": "application/json"}


def stored(answer: bytes, name: str) -> bytes:
    """Return the bytes of a top-level field whose value is an object, up to the next field."""
    start = answer.index(f'"{name}":'.encode()) + len(name) + 3
    return answer[start : answer.index(b"}", start) + 1]


AS_SENT = [
    b'{"a":"\\ud83d"}',
    b'{"a":"\\ude00 and \\ud83d, cut"}',
    b'{"a":"\\u0000"}',
    '{"a":"\u2028\u2029"}'.encode(),
    '{"a":"\U0001f600 \u00e9 \\ud83d"}'.encode(),
    b'{"a":9007199254740993}',
    b'{"a":-9223372036854775809}',
    b'{"a":1e+21}',
    b'{"a":1.5e-7}',
    b'{"a":0.00001}',
    b'{"a":[null,true,0.1]}',
    b'{"a":"1e-05 \\"1e-05\\""}',
    b'{"\\ud83d":"\\udc00"}',
]


@pytest.mark.parametrize("value", AS_SENT)
async def test_what_javascript_stores_comes_back_and_stays_when_something_else_changes(
    vapi: Caller, value: bytes
) -> None:
    made = await vapi.http.post("/assistant", content=b'{"metadata":' + value + b"}", headers=JSON)
    assert made.status_code == 201, made.text
    path = f"/assistant/{json.loads(made.content)['id']}"
    changed = await vapi.http.patch(path, content=b'{"name":"\\ud83d caf\xc3\xa9"}', headers=JSON)
    read = await vapi.http.get(path)
    listed = await vapi.http.get("/assistant")
    for answer in (made, changed, read, listed):
        assert stored(answer.content, "metadata") == value
    (first, *_) = await vapi.journal(limit=1)
    assert to_json(first["body"]) == b'{"metadata":' + value + b"}"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"250.0", b"250"),
        (b"1e21", b"1e+21"),
        (b"1E2", b"100"),
        (b"1e16", b"10000000000000000"),
        (b"123456789012345680000.0", b"123456789012345680000"),
        (b"-0.0", b"0"),
        (b"0.000001", b"0.000001"),
        (b"-12.5e-6", b"-0.0000125"),
        (b"1e400", b"null"),
        (b"1" * 5000, b"null"),
        (b'"\\u00e9\\/"', '"é/"'.encode()),
        (b'"\xff"', '"\ufffd"'.encode()),
    ],
)
async def test_a_value_is_written_as_javascript_writes_it(vapi: Caller, sent: bytes, kept: bytes) -> None:
    made = await vapi.http.post("/assistant", content=b'{"metadata":{"a":' + sent + b"}}", headers=JSON)
    assert made.status_code == 201, made.text
    assert stored(made.content, "metadata") == b'{"a":' + kept + b"}"


@pytest.mark.parametrize("body", [b"{", b'{"a":NaN}', b'{"a":-Infinity}', b"", b"[" * 100_000])
async def test_what_is_no_json_is_refused(vapi: Caller, body: bytes) -> None:
    assert (await vapi.http.post("/assistant", content=body, headers=JSON)).status_code == 400


@pytest.mark.parametrize("depth", [100, 490, 500, 900, 990, 2000, 20_000])
async def test_a_deep_document_is_stored_or_refused_and_never_an_error_of_the_server(vapi: Caller, depth: int) -> None:
    body = b'{"metadata":{"a":' + b"[" * depth + b"]" * depth + b"}}"
    made = await vapi.http.post("/assistant", content=body, headers=JSON)
    assert made.status_code == (201 if depth <= 490 else 400)
    if made.status_code == 201:
        path = f"/assistant/{made.json()['id']}"
        assert (await vapi.http.patch(path, json={"name": "deep"})).status_code == 200
    assert (await vapi.http.get("/__sandbox/journal")).status_code == 200


async def test_a_text_with_half_a_pair_goes_through_the_dials_and_a_simulated_call(vapi: Caller) -> None:
    planted = b'{"planted":[{"kind":"tool","object":{"a":"\\ud83d"}}]}'
    assert (await vapi.http.put("/__sandbox/dials", content=planted)).status_code == 200
    assert b'"a":"\\ud83d"' in (await vapi.http.get("/__sandbox/dials")).content
    assert (await vapi.http.get("/tool")).content == b'[{"a":"\\ud83d"}]'


@pytest.mark.parametrize("before", [b'{"a":true}', b'{"a":1}', b'{"a":"1"}'])
async def test_equal_in_python_is_not_equal_in_json(vapi: Caller, before: bytes) -> None:
    made = (await vapi.http.post("/assistant", content=b'{"metadata":' + before + b"}", headers=JSON)).json()
    for number, after in enumerate((before, b'{"a":false}', b'{"a":0}', b'{"a":0.0}'), 1):
        answer = await vapi.http.patch(f"/assistant/{made['id']}", content=b'{"metadata":' + after + b"}", headers=JSON)
        assert answer.json()["latestVersion"] == f"v{min(number, 3)}"


@pytest.mark.parametrize(
    "value", [1e-5, -1.25e-5, 9.9e-5, 1e-6, 1e-7, 1.7976931348623157e308, 5e-324, "e-05", {"e-0": 1e-5}]
)
def test_reading_what_was_written_gives_the_same_bytes(value: Any) -> None:
    assert to_json(from_json(to_json(value))) == to_json(value)
    assert from_json(to_json(value)) == value
