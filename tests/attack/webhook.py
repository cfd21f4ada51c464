"""Vapi's tool calls: by somebody who is not Vapi, and twice by Vapi itself.

The stack of `make up` has a bearer token for them, and no key of signatures: what is signed, and sent again later, is
tried in `tests/integration/assistant_api/tool_calls`.
"""

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from tests.attack.target import Target, bearer
from tests.attack.verdict import Tried
from tests.attack.wire import exchange, request

PATH: Final = "/api/vapi/tool-calls"
CHECK: Final = "curl -i localhost:3001/api/vapi/tool-calls -d '{}'"
PHONE: Final = "+4915112345678"


async def tried(target: Target) -> Tried:
    """Every wrong credential is 401 and books nothing; the right one books once, however often it is said."""
    right, day = target.stack.webhook_token, (datetime.now(UTC) + timedelta(days=7)).date().isoformat()
    raw = json.dumps(_call(target, day, "10:00")).encode()
    stamp = str(int(time.time()))
    strangers: dict[str, dict[str, str]] = {
        "no credential": {},
        "an empty one": {"Authorization": "Bearer "},
        "another one": bearer("x" * len(right)),
        "all but its last character": bearer(right[:-1]),
        "one character more": bearer(f"{right}x"),
        "in capitals": bearer(right.upper()),
        "by another scheme": {"Authorization": f"Basic {right}"},
        "in the query": {},
        "the platform's token": target.platform,
        "a clinic's token": bearer(target.token_of(target.mine)),
        "the secret's header, with a guess": {"x-vapi-secret": "secret"},
        "the secret's header, empty": {"x-vapi-secret": ""},
        "a signature by the empty key": {"x-signature": _signed(b"", stamp, raw), "x-timestamp": stamp},
        "a signature by the bearer token": {"x-signature": _signed(right.encode(), stamp, raw), "x-timestamp": stamp},
        "an empty signature": {"x-signature": "", "x-timestamp": stamp},
        "bytes that are no text": {"Authorization": "Bearer \xff\xfe"},
    }
    found = []
    for name, headers in strangers.items():
        path = f"{PATH}?token={right}" if name == "in the query" else PATH
        heard = await exchange(target.at("assistant-api"), request("POST", path, headers, raw))
        if heard.status != 401:
            found.append(f"{name}: answers {heard.status}")
    if await _booked(target):
        found.append("a stranger booked")
    found += await _repeated(target, day)
    return Tried("webhook", "Vapi's calls by strangers, and repeated", len(strangers) + 4, found, CHECK)


async def _repeated(target: Target, day: str) -> list[str]:
    """What is said twice is done once; the same id in another clinic is no repeat."""
    call = _call(target, day, "10:00")
    first, again = await _answer(target, call), await _answer(target, call)
    booked = await _booked(target)
    if booked != 1 or first != again:
        return [f"the same call twice: {booked} appointments, answers {first!r:.100} and {again!r:.100}"]
    called = call["message"]["toolCallList"][0]
    called["function"]["arguments"]["organization_id"] = str(uuid4())
    elsewhere = await _answer(target, call)
    found = ["another clinic's call was answered with this one's words"] if elsewhere == first else []
    called["id"] = f"call_{uuid4().hex}"
    called["function"]["arguments"]["organization_id"] = {"$ne": ""}
    await _answer(target, call)
    return found + ([f"{booked} appointments after it"] if (booked := await _booked(target)) != 1 else [])


async def _answer(target: Target, call: dict[str, Any]) -> Any:
    headers = bearer(target.stack.webhook_token)
    answer = await target.http["assistant-api"].post(PATH, json=call, headers=headers)
    return answer.json() if answer.status_code == 200 else answer.status_code


async def _booked(target: Target) -> int:
    path = f"/api/appointments?orgId={target.mine.org_id}"
    headers = {**target.platform, "X-Access-Reason": "an attack on our own machine"}
    answer = await target.http["assistant-api"].get(path, headers=headers)
    return len(answer.json().get("items", []))


def _call(target: Target, day: str, clock: str) -> dict[str, Any]:
    arguments = {
        "patientName": "Erika Example", "patientPhone": PHONE, "service": "Check-up", "appointmentDate": day,
        "appointmentTime": clock, "organization_id": str(target.mine.org_id), "definition_version": 2,
    }  # fmt: skip
    function = {"name": "bookClinicAppointment", "arguments": arguments}
    called = {"id": f"call_{uuid4().hex}", "type": "function", "function": function}
    phone = {"id": str(uuid4()), "orgId": str(uuid4()), "type": "inboundPhoneCall"}
    return {
        "message": {
            "timestamp": int(time.time() * 1000), "type": "tool-calls", "toolCalls": [called],
            "toolCallList": [called], "call": phone, "assistant": {}, "customer": {"number": PHONE},
        }
    }  # fmt: skip


def _signed(key: bytes, stamp: str, raw: bytes) -> str:
    return hmac.new(key, stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
