"""Assistants: the model is one field, links may dangle, pins win."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from .caller import Caller

MODEL = {"provider": "openai", "model": "gpt-4o"}


async def test_everything_in_the_model_is_stored_as_it_came(vapi: Caller) -> None:
    model = {
        **MODEL,
        "knowledgeBase": {"a": None, "b": [1.25]},
        "tools": [{"type": "apiRequest", "x": None}],
        "maxTokens": None,
        "temperature": 0,
    }
    made = await vapi.assistant(model=model, metadata={"tenant": {"deep": 1}})
    assert made["model"] == model
    assert (await vapi.http.get(f"/assistant/{made['id']}")).json() == made


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"model": {"toolIds": []}}, "model.provider must be one of: "),
        ({"model": {"provider": "nobody", "model": "m"}}, "model.provider must be one of: "),
        ({"model": {"provider": "openai"}}, "model.model must be a string"),
        ({"model": {"provider": "custom-llm", "model": "m"}}, "model.url must be a string"),
        ({"model": {**MODEL, "toolIds": "one"}}, "model.toolIds must be an array"),
        ({"model": {**MODEL, "toolRefs": [{"toolId": "x"}]}}, "model.toolRefs.0.version must be a string"),
        ({"model": "gpt-4o"}, "model must be an object"),
        ({"name": "n" * 41}, "name must be shorter than or equal to 40 characters"),
        ({"tools": []}, "property tools should not exist"),
        ({"id": "x"}, "property id should not exist"),
        ({"server": {"method": "GET"}}, "server.property method should not exist"),
        ({"maxDurationSeconds": 9}, "maxDurationSeconds must not be less than 10"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_wrong_field_is_named(vapi: Caller, method: str, body: dict[str, Any], sentence: str) -> None:
    path = "/assistant" if method == "POST" else f"/assistant/{(await vapi.assistant())['id']}"
    problems = await vapi.problems(path, body, method)
    assert any(problem.startswith(sentence) for problem in problems), problems


async def test_a_change_of_the_model_replaces_all_of_it(vapi: Caller) -> None:
    made = await vapi.assistant(model={**MODEL, "temperature": 0.3}, firstMessage="Hello")
    answer = await vapi.http.patch(f"/assistant/{made['id']}", json={"model": MODEL})
    assert answer.json()["model"] == MODEL
    assert answer.json()["firstMessage"] == "Hello"


async def test_an_assistant_needs_nothing(vapi: Caller) -> None:
    assert "model" not in await vapi.create("/assistant", {})


async def test_a_pinned_tool_is_dropped_from_the_links_and_cannot_be_deleted(vapi: Caller) -> None:
    pinned, linked = (await vapi.tool())["id"], (await vapi.tool())["id"]
    model = {**MODEL, "toolIds": [pinned, linked], "toolRefs": [{"toolId": pinned, "version": "v1"}]}
    made = await vapi.assistant(model=model)
    assert made["model"]["toolIds"] == [linked]
    refused = await vapi.http.delete(f"/tool/{pinned}")
    assert refused.status_code == 409
    assert refused.json()["error"] == "tool_pinned"
    assert "statusCode" not in refused.json()
    changed = await vapi.http.patch(f"/assistant/{made['id']}", json={"model": model})
    assert changed.json()["model"]["toolIds"] == [linked]
    await vapi.http.patch(f"/assistant/{made['id']}", json={"model": MODEL})
    assert (await vapi.http.delete(f"/tool/{pinned}")).status_code == 200


async def test_a_deleted_tool_stays_in_every_assistant(vapi: Caller) -> None:
    tool = (await vapi.tool())["id"]
    made = await vapi.assistant(model={**MODEL, "toolIds": [tool]})
    assert (await vapi.http.delete(f"/tool/{tool}")).status_code == 200
    assert (await vapi.http.get(f"/assistant/{made['id']}")).json()["model"]["toolIds"] == [tool]


async def test_a_link_to_an_absent_tool_is_accepted_unless_the_dial_is_strict(vapi: Caller) -> None:
    absent = str(uuid4())
    made = await vapi.assistant(model={**MODEL, "toolIds": [absent]})
    await vapi.turn(strict_tool_ids=True)
    body = {"model": {**MODEL, "toolIds": [absent]}}
    assert await vapi.problems(f"/assistant/{made['id']}", body, "PATCH") == [
        f"model.toolIds: tool {absent} does not exist"
    ]
    present = {"model": {**MODEL, "toolIds": [(await vapi.tool())["id"]]}}
    assert (await vapi.http.patch(f"/assistant/{made['id']}", json=present)).status_code == 200


async def test_between_a_read_and_a_write_nothing_is_locked(vapi: Caller) -> None:
    made = await vapi.assistant()
    path = f"/assistant/{made['id']}"
    seen = [(await vapi.http.get(path)).json()["model"] for _ in range(2)]
    for model, tool in zip(seen, ("one", "two"), strict=True):
        await vapi.http.patch(path, json={"model": {**model, "toolIds": [tool]}})
    assert (await vapi.http.get(path)).json()["model"]["toolIds"] == ["two"]
