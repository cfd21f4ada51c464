"""Errors and retries of the official SDK, and why our own client must not retry as it does."""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest
from target import BASE_URL, ONCE
from vapi import Vapi
from vapi.core.api_error import ApiError
from vapi.errors import ConflictError

Maker = Callable[..., Any]
Refusal = Callable[[Callable[[], Any]], ApiError]


def test_a_wrong_body_is_400_with_every_problem(client: Any, refusal: Refusal) -> None:
    body = {"type": "function", "name": "no", "function": {"name": "not a name"}, "server": {"method": "POST"}}
    error = refusal(lambda: client.tools.create(request=body, request_options=ONCE))
    assert error.status_code == 400
    assert error.body["statusCode"] == 400
    assert error.body["error"] == "Bad Request"
    assert "property name should not exist" in error.body["message"]
    assert any("function.name" in problem for problem in error.body["message"])
    assert any("method should not exist" in problem for problem in error.body["message"])


def test_a_model_without_a_provider_is_400(client: Any, http: httpx.Client, make_assistant: Maker) -> None:
    made = make_assistant(model={"provider": "openai", "model": "gpt-4o"})
    answer = http.patch(f"/assistant/{made.id}", json={"model": {"toolIds": [str(uuid4())]}})
    assert answer.status_code == 400
    assert any("model.provider must be one of" in problem for problem in answer.json()["message"])


def test_an_unknown_id_is_404(client: Any, refusal: Refusal) -> None:
    for read in (client.tools.get, client.assistants.get):
        error = refusal(partial(read, str(uuid4()), request_options=ONCE))
        assert error.status_code == 404
        assert error.body["statusCode"] == 404


def test_a_wrong_key_is_401(refusal: Refusal) -> None:
    stranger = Vapi(token="nobody", base_url=BASE_URL)
    error = refusal(lambda: stranger.tools.list(request_options=ONCE))
    assert error.status_code == 401
    assert error.body["message"].startswith("Invalid Key.")
    missing = httpx.get(f"{BASE_URL}/tool")
    assert missing.status_code == 401
    assert missing.json()["message"] == "Missing Authorization Header."


def test_what_is_not_documented_is_as_the_sandbox_has_it(
    client: Any, http: httpx.Client, make_tool: Maker, make_assistant: Maker, tool_request: dict[str, Any]
) -> None:
    """Against the real API a difference here is a finding: it names what the sandbox has to learn."""
    first, second = make_tool(tool_request), make_tool(tool_request)
    made = make_assistant(model={"provider": "openai", "model": "gpt-4o"})
    absent = str(uuid4())
    linked = {"model": {"provider": "openai", "model": "gpt-4o", "toolIds": [absent]}}
    listed = [tool.id for tool in client.tools.list(limit=1000, created_at_ge=first.created_at, request_options=ONCE)]
    newest_first = second.created_at == first.created_at or listed.index(second.id) < listed.index(first.id)
    observed = {
        "404 text": http.get(f"/tool/{absent}").json()["message"].replace(absent, "<id>"),
        "an id that is no UUID": http.get("/tool/none").status_code,
        "a link to an absent tool": http.patch(f"/assistant/{made.id}", json=linked).status_code,
        "another type in a change": http.patch(f"/tool/{first.id}", json={"type": "endCall"}).status_code,
        "an empty change": http.patch(f"/tool/{first.id}", json={}).status_code,
        "limit 0": len(http.get("/tool", params={"limit": 0}).json()),
        "limit 1001": http.get("/tool", params={"limit": 1001}).status_code,
        "newest first": newest_first,
    }
    assert observed == {
        "404 text": "Tool <id> Not Found",
        "an id that is no UUID": 400,
        "a link to an absent tool": 200,
        "another type in a change": 400,
        "an empty change": 200,
        "limit 0": 0,
        "limit 1001": 400,
        "newest first": True,
    }


@pytest.mark.dials
def test_429_is_an_error_without_a_code(client: Any, dials: Maker, refusal: Refusal) -> None:
    dials(rate_limit_per_minute=0)
    error = refusal(lambda: client.tools.list(request_options=ONCE))
    assert error.status_code == 429
    assert error.body["message"] == "Rate limit exceeded"
    assert "retry-after" not in error.headers


@pytest.mark.dials
def test_the_sdk_repeats_after_429(client: Any, dials: Maker) -> None:
    rule = {"route": "GET /tool", "times": 1, "action": {"kind": "status", "status": 429, "retry_after": 1}}
    dials(rules=[rule])
    assert client.tools.list(limit=1, request_options={"max_retries": 1}) is not None


@pytest.mark.dials
def test_a_write_conflict_is_a_conflict_error(
    client: Any, dials: Maker, make_tool: Maker, tool_request: dict[str, Any]
) -> None:
    tool = make_tool(tool_request)
    conflict = {"error": "tool_write_conflict", "message": "being written"}
    action = {"kind": "status", "status": 409, "json": conflict}
    dials(rules=[{"route": "PATCH /tool/{id}", "times": 1, "action": action}])
    with pytest.raises(ConflictError) as caught:
        client.tools.update(tool.id, request={"async": False}, request_options=ONCE)
    assert caught.value.body["error"] == "tool_write_conflict"


@pytest.mark.dials
@pytest.mark.parametrize(
    "action",
    [
        {"kind": "reset", "commit": True, "close": "fin"},
        {"kind": "status", "status": 502, "body": "html", "commit": True},
    ],
    ids=["cut after the commit", "502 after the commit"],
)
def test_the_sdks_retry_of_an_ambiguous_post_makes_a_second_tool(
    action: dict[str, Any], client: Any, http: httpx.Client, dials: Maker, tool_request: dict[str, Any]
) -> None:
    """This is why our client never repeats a POST: it looks first, and adopts what it finds."""
    marker = tool_request["parameters"][0]["value"]
    dials(rules=[{"route": "POST /tool", "times": 1, "action": action}])
    told = client.tools.create(request=tool_request, request_options={"max_retries": 1})
    summary = http.get("/__sandbox/summary").json()
    (made,) = [group for group in summary["tool_creations"] if group["organization_id"] == marker]
    assert made["count"] == 2
    assert made["ids"][1] == told.id
    for tool_id in made["ids"]:
        client.tools.delete(tool_id, request_options=ONCE)


@pytest.mark.dials
def test_the_typed_models_hide_a_wrong_answer(client: Any, dials: Maker, make_tool: Maker, tool_request: Any) -> None:
    """A 200 without an id is no error to the SDK: our client must look for itself."""
    tool = make_tool(tool_request)
    dials(rules=[{"route": "GET /tool/{id}", "times": 1, "action": {"kind": "mangle", "form": "no_id"}}])
    assert getattr(client.tools.get(tool.id, request_options=ONCE), "id", None) is None
