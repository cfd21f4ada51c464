"""Every answer of the sandbox has the published shape: our own JSON Schemas of the parts of Vapi's API that we use."""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema
import pytest

from vapi_sandbox import DEFAULT_KEY, create_app

Schema = dict[str, Any]

_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
_UUID = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_SERVER_FIELDS = {
    "id": _UUID,
    "orgId": _UUID,
    "createdAt": _TIME,
    "updatedAt": _TIME,
    "latestVersion": {"type": "string", "pattern": "^v[1-9][0-9]*$"},
}

FUNCTION_TOOL: Schema = {
    "type": "object",
    "required": ["type", *_SERVER_FIELDS],
    "additionalProperties": False,
    "properties": {
        **_SERVER_FIELDS,
        "type": {"const": "function"},
        "async": {"type": "boolean"},
        "function": {"type": "object", "required": ["name"]},
        "server": {"type": "object"},
        "parameters": {"type": "array", "items": {"type": "object", "required": ["key", "value"]}},
        "messages": {"type": "array"},
    },
}
ASSISTANT: Schema = {
    "type": "object",
    "required": list(_SERVER_FIELDS),
    "additionalProperties": False,
    "properties": {
        **_SERVER_FIELDS,
        "name": {"type": "string", "maxLength": 40},
        "firstMessage": {"type": "string"},
        "metadata": {"type": "object"},
        "model": {
            "type": "object",
            "required": ["provider", "model"],
            "properties": {"toolIds": {"type": "array", "items": {"type": "string"}}},
        },
    },
}
ERROR: Schema = {
    "type": "object",
    "required": ["message", "error", "statusCode"],
    "additionalProperties": False,
    "properties": {
        "message": {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]},
        "error": {"type": "string"},
        "statusCode": {"type": "integer"},
    },
}
BODIES: dict[str, dict[str, Any]] = {
    "tool": {
        "type": "function",
        "async": True,
        "function": {"name": "book", "parameters": {"type": "object", "properties": {}}},
        "server": {"url": "https://hooks.example.test"},
        "parameters": [{"key": "organization_id", "value": "one"}],
    },
    "assistant": {"name": "Clinic", "model": {"provider": "openai", "model": "gpt-4o", "toolIds": []}},
}
SCHEMAS = {"tool": FUNCTION_TOOL, "assistant": ASSISTANT}


@pytest.mark.parametrize("kind", ["tool", "assistant"])
async def test_the_five_routes_of_a_kind(kind: str) -> None:
    headers = {"authorization": f"Bearer {DEFAULT_KEY}"}
    transport = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", headers=headers) as http:
        created = await http.post(f"/{kind}", json=BODIES[kind])
        path = f"/{kind}/{created.json()['id']}"
        answers = [created, await http.get(path), await http.patch(path, json=BODIES[kind])]
        listed = await http.get(f"/{kind}")
        answers.append(await http.delete(path))
        for answer, status in zip(answers, (201, 200, 200, 200), strict=True):
            assert answer.status_code == status
            jsonschema.validate(answer.json(), SCHEMAS[kind])
        jsonschema.validate(listed.json(), {"type": "array", "minItems": 1, "items": SCHEMAS[kind]})
        refusals = [
            await http.get(path),
            await http.get(f"/{kind}/none"),
            await http.post(f"/{kind}", json={"none": 1}),
            await http.get(f"/{kind}", params={"limit": 1001}),
            await http.put(path),
            await http.get(path, headers={"authorization": "Bearer nobody"}),
        ]
        for refusal, status in zip(refusals, (404, 400, 400, 400, 404, 401), strict=True):
            assert refusal.status_code == status
            jsonschema.validate(refusal.json(), ERROR)
            assert refusal.json()["statusCode"] == status
