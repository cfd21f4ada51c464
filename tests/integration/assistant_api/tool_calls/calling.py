"""Speaking as Vapi: bodies, credentials and answers of tool calls."""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import httpx

from ..harness import Harness

TOKENS: Final = ("current-webhook-token-1", "previous-webhook-token")
KEYS: Final = ("current-webhook-key-01", "previous-webhook-key")
PATH: Final = "/api/vapi/tool-calls"
PHONE: Final = "+4915112345678"


TODAY: Final = datetime.now(UTC).date()
"""When the tests began: one that runs after midnight means the days that were named before it."""


def day(ahead: int = 7) -> str:
    """A day ahead of :data:`TODAY`, in UTC."""
    return (TODAY + timedelta(days=ahead)).isoformat()


def booking(org_id: UUID | str, **changes: Any) -> dict[str, Any]:
    """The arguments of a booking as Vapi sends them: the model's, with the static parameters put over them."""
    arguments = {
        "patientName": "Erika Example",
        "patientPhone": PHONE,
        "service": "Check-up",
        "appointmentDate": day(),
        "appointmentTime": "10:00",
        "organization_id": str(org_id),
        "definition_version": 1,
        **changes,
    }
    return {key: value for key, value in arguments.items() if value is not ...}


def cancelling(org_id: UUID | str, **changes: Any) -> dict[str, Any]:
    """The arguments of a cancellation."""
    static = {"organization_id": str(org_id), "definition_version": 1}
    return {"patientPhone": PHONE, "appointmentDate": day(), **static, **changes}


def moving(org_id: UUID | str, **changes: Any) -> dict[str, Any]:
    """The arguments of a move, by default to 11:00 of the same day."""
    return {**cancelling(org_id), "newDate": day(), "newTime": "11:00", **changes}


def call(arguments: Any, *, name: str = "bookClinicAppointment", tool_call_id: str | None = None) -> dict[str, Any]:
    """One call in a list of calls."""
    return {
        "id": tool_call_id or f"call_{uuid4().hex[:20]}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def message(*calls: dict[str, Any], call_id: str | None = None, customer: str | None = PHONE) -> dict[str, Any]:
    """The body of a request with these calls, from a phone with the number ``customer``."""
    return {
        "message": {
            "timestamp": 1728393715369,
            "type": "tool-calls",
            "toolCalls": list(calls),
            "toolCallList": list(calls),
            "call": {"id": call_id or str(uuid4()), "orgId": str(uuid4()), "type": "inboundPhoneCall"},
            "assistant": {},
            "customer": {} if customer is None else {"number": customer},
        }
    }


def bearer(token: str = TOKENS[0]) -> dict[str, str]:
    """The header of the bearer credential."""
    return {"Authorization": f"Bearer {token}"}


def signed(raw: bytes, *, key: str = KEYS[0], timestamp: object = None) -> dict[str, str]:
    """The headers of the HMAC credential."""
    stamp = str(int(time.time()) if timestamp is None else timestamp)
    signature = hmac.new(key.encode(), stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
    return {"x-signature": signature, "x-timestamp": stamp}


@dataclass(frozen=True, slots=True)
class Caller:
    """A phone call with the service as its webhook."""

    harness: Harness

    async def send(self, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        """POST a body; a value is made JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.harness.http.post(PATH, content=raw, headers=bearer() if headers is None else headers)

    async def results(
        self, *calls: dict[str, Any], call_id: str | None = None, customer: str | None = PHONE
    ) -> list[dict[str, Any]]:
        """The results of calls, which must have the shape that Vapi wants."""
        answer = await self.send(message(*calls, call_id=call_id, customer=customer))
        return shaped(answer)

    async def result(
        self,
        arguments: Any,
        *,
        name: str = "bookClinicAppointment",
        call_id: str | None = None,
        customer: str | None = PHONE,
    ) -> str:
        """The result of one call, which must not be an error."""
        (entry,) = await self.results(call(arguments, name=name), call_id=call_id, customer=customer)
        text: str = entry["result"]
        return text

    async def error(self, arguments: Any, *, name: str = "bookClinicAppointment") -> str:
        """The error of one call."""
        (entry,) = await self.results(call(arguments, name=name))
        text: str = entry["error"]
        return text

    async def appointments(self, org_id: UUID | None = None) -> list[dict[str, Any]]:
        """All rows of appointments, or one organization's."""
        rows = await self.harness.owner.fetch(
            "SELECT * FROM appointments WHERE $1::uuid IS NULL OR org_id = $1 ORDER BY starts_at, id", org_id
        )
        return [dict(row) for row in rows]


def shaped(answer: httpx.Response) -> list[dict[str, Any]]:
    """The results of an answer, after checking what Vapi checks."""
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    for entry in results:
        assert set(entry) in ({"toolCallId", "name", "result"}, {"toolCallId", "name", "error"})
        text = entry.get("result", entry.get("error"))
        assert isinstance(text, str)
        assert text
        assert text.isprintable()
    return results
