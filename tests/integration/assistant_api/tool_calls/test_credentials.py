"""Only Vapi is let in: by a bearer token, or by a signature of exactly these bytes, not long ago."""

import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from ..harness import Vapi, make_settings, running, token
from .calling import KEYS, TOKENS, Caller, bearer, booking, call, message, shaped, signed


def _body(org_id: UUID, tool_call_id: str = "call_1") -> bytes:
    return json.dumps(message(call(booking(org_id), tool_call_id=tool_call_id), call_id="c1")).encode()


@pytest.mark.parametrize("given", TOKENS)
async def test_both_tokens_are_good_while_they_are_changed(caller: Caller, org_id: UUID, given: str) -> None:
    assert shaped(await caller.send(_body(org_id), bearer(given)))[0]["result"].startswith("Booked")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("age_seconds", [-290, 0, 290])
async def test_both_keys_are_good_within_five_minutes(caller: Caller, org_id: UUID, key: str, age_seconds: int) -> None:
    raw = _body(org_id)
    headers = signed(raw, key=key, timestamp=int(time.time()) - age_seconds)

    assert shaped(await caller.send(raw, headers))[0]["result"].startswith("Booked")


async def test_milliseconds_are_a_timestamp_too(caller: Caller, org_id: UUID) -> None:
    raw = _body(org_id)

    answer = await caller.send(raw, signed(raw, timestamp=int(time.time() * 1000)))

    assert shaped(answer)[0]["result"].startswith("Booked")


async def test_a_signed_repeat_gets_the_stored_answer(caller: Caller, org_id: UUID) -> None:
    raw = _body(org_id)
    headers = signed(raw)

    first, second = await caller.send(raw, headers), await caller.send(raw, headers)

    assert first.content == second.content
    assert shaped(first)[0]["result"].startswith("Booked")
    assert len(await caller.appointments()) == 1


def _now() -> int:
    return int(time.time())


FORGED: Mapping[str, Any] = {
    "nothing": lambda raw: {},
    "empty": lambda raw: {"Authorization": ""},
    "wrong token": lambda raw: bearer("wrong-webhook-token-1"),
    "token of before the rotation": lambda raw: bearer("webhook-token-of-last-year"),
    "part of a token": lambda raw: bearer(TOKENS[0][:-1]),
    "both tokens": lambda raw: bearer(", ".join(TOKENS)),
    "token without its scheme": lambda raw: {"Authorization": TOKENS[0]},
    "basic": lambda raw: {"Authorization": f"Basic {TOKENS[0]}"},
    "a key as token": lambda raw: bearer(KEYS[0]),
    "a JWT of the platform": lambda raw: bearer(token()),
    "not ASCII": lambda raw: {b"authorization": "Bearer tökén".encode()},
    "wrong key": lambda raw: signed(raw, key="wrong-webhook-key-01"),
    "one byte more": lambda raw: signed(raw + b" "),
    "the same said otherwise": lambda raw: signed(json.dumps(json.loads(raw), indent=1).encode()),
    "too old": lambda raw: signed(raw, timestamp=_now() - 301),
    "too early": lambda raw: signed(raw, timestamp=_now() + 305),
    "no timestamp": lambda raw: {"x-signature": signed(raw)["x-signature"]},
    "another timestamp": lambda raw: {**signed(raw), "x-timestamp": str(_now() - 1)},
    "timestamp is text": lambda raw: signed(raw, timestamp="now"),
    "timestamp is negative": lambda raw: signed(raw, timestamp=-1),
    "timestamp is a fraction": lambda raw: signed(raw, timestamp=time.time()),
    "timestamp is huge": lambda raw: signed(raw, timestamp="9" * 400),
    "timestamp without a signature": lambda raw: {"x-timestamp": str(_now())},
    "a thousand signatures": lambda raw: {**signed(raw), "x-signature": ",".join([signed(raw)["x-signature"]] * 1000)},
    "signature not ASCII": lambda raw: {b"x-signature": "ß".encode() * 32, b"x-timestamp": str(_now()).encode()},
    "signature cut": lambda raw: {**signed(raw), "x-signature": signed(raw)["x-signature"][:-1]},
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
async def test_anything_else_is_401_and_changes_nothing(caller: Caller, org_id: UUID, forged: Any) -> None:
    raw = _body(org_id)

    answer = await caller.send(raw, forged(raw))

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "the credential is missing, wrong or too old"
    assert await caller.appointments() == []
    assert not await caller.harness.owner.fetchval("SELECT count(*) FROM tool_calls")


async def test_without_any_credential_configured_nobody_is_let_in(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    async with running(make_settings(assistant_api_db, sandbox), assistant_api_db, vapi) as harness:
        caller, org_id = Caller(harness), await harness.organization()
        raw = _body(org_id)
        for headers in ({}, bearer(""), bearer(), {"Authorization": "Bearer"}, signed(raw), signed(raw, key="")):
            assert (await caller.send(raw, headers)).status_code == 401


async def test_a_body_over_the_limit_is_413_and_one_that_is_no_json_400(caller: Caller) -> None:
    large = b'{"message": "' + b"x" * 65_536 + b'"}'

    assert (await caller.send(large)).status_code == 413
    assert (await caller.send(large, signed(large))).status_code == 413
    assert (await caller.send(large, {})).status_code == 401
    for raw in (b"", b"{", b"\xff", b'{"message": NaN}', b'{"a": 1, "a": 2}', b"[" * 5000, b"9" * 5000):
        assert (await caller.send(raw)).status_code == 400, raw[:20]
