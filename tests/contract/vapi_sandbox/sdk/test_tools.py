"""Tools through the official SDK: create, list, get, update, delete. Its models check nothing, so the tests do."""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from target import BASE_URL, KEY, ONCE
from vapi import (
    AsyncVapi,
    CreateToolsRequest_Function,
    CreateToolsResponse_Function,
    OpenAiFunction,
    OpenAiFunctionParameters,
    Server,
    ToolParameter,
    UpdateToolsRequestBody_Function,
)

Maker = Callable[..., Any]


def assert_is_function_tool(tool: Any) -> None:
    """Check what the SDK's unchecked models would let pass: id, org, times, and no field that it does not know."""
    assert UUID(tool.id)
    assert UUID(tool.org_id)
    assert tool.created_at.utcoffset() == timedelta(0)
    assert tool.updated_at >= tool.created_at
    assert tool.type == "function"
    assert not tool.model_extra, tool.model_extra


def test_a_typed_tool_is_created(make_tool: Maker, prefix: str) -> None:
    tool = make_tool(
        CreateToolsRequest_Function(
            async_=True,
            function=OpenAiFunction(
                name=f"{prefix}_typed",
                parameters=OpenAiFunctionParameters(type="object", properties={}, required=[]),
            ),
            server=Server(url="https://hooks.example.test/tools", timeout_seconds=20),
            parameters=[ToolParameter(key="organization_id", value="one")],
        )
    )
    assert type(tool) is CreateToolsResponse_Function
    assert_is_function_tool(tool)
    assert tool.function.name == f"{prefix}_typed"
    assert tool.server.timeout_seconds == 20
    assert tool.latest_version == "v1"


def test_a_tool_is_created_from_a_dict(make_tool: Maker, tool_request: dict[str, Any]) -> None:
    tool = make_tool(tool_request)
    assert type(tool) is CreateToolsResponse_Function
    assert_is_function_tool(tool)
    assert tool.async_ is True
    assert tool.parameters[0].key == "organization_id"


def test_a_create_answers_201_and_json(client: Any, http: Any, tool_request: dict[str, Any]) -> None:
    response = client.tools.with_raw_response.create(request=tool_request, request_options=ONCE)
    raw = http.post("/tool", json=tool_request)
    assert raw.status_code == 201
    assert raw.headers["content-type"].startswith("application/json")
    assert "date" in raw.headers
    for tool_id in (response.data.id, raw.json()["id"]):
        assert client.tools.with_raw_response.delete(tool_id, request_options=ONCE).data.id == tool_id


def test_the_same_tool_twice_is_two_tools(make_tool: Maker, tool_request: dict[str, Any]) -> None:
    assert make_tool(tool_request).id != make_tool(tool_request).id


def test_a_tool_is_read_back(client: Any, make_tool: Maker, tool_request: dict[str, Any]) -> None:
    made = make_tool(tool_request)
    read = client.tools.get(made.id, request_options=ONCE)
    assert_is_function_tool(read)
    assert read.function == made.function
    assert read.created_at == made.created_at


def test_a_list_by_time_of_creation_holds_the_new_tool(
    client: Any, make_tool: Maker, tool_request: dict[str, Any]
) -> None:
    made = make_tool(tool_request)
    listed = client.tools.list(limit=1000, created_at_ge=made.created_at, request_options=ONCE)
    assert made.id in [tool.id for tool in listed]
    assert all(tool.created_at >= made.created_at for tool in listed)
    after = client.tools.list(limit=1000, created_at_gt=made.created_at, request_options=ONCE)
    assert made.id not in [tool.id for tool in after]


def test_a_list_ends_at_its_limit(client: Any, make_tool: Maker, tool_request: dict[str, Any]) -> None:
    first, second = make_tool(tool_request), make_tool(tool_request)
    assert len(client.tools.list(limit=1, request_options=ONCE)) == 1
    listed = client.tools.list(limit=1000, created_at_ge=first.created_at, request_options=ONCE)
    assert {first.id, second.id} <= {tool.id for tool in listed}


def test_a_typed_update_replaces_the_named_fields_only(
    client: Any, make_tool: Maker, tool_request: dict[str, Any], prefix: str
) -> None:
    made = make_tool(tool_request)
    body = UpdateToolsRequestBody_Function(function=OpenAiFunction(name=f"{prefix}_renamed"))
    updated = client.tools.update(made.id, request=body, request_options=ONCE)
    assert_is_function_tool(updated)
    assert updated.function.name == f"{prefix}_renamed"
    assert updated.function.parameters is None  # `function` is one field: what was not sent is gone
    assert updated.server == made.server
    assert updated.latest_version == "v2"


def test_an_update_needs_no_type(client: Any, make_tool: Maker, tool_request: dict[str, Any]) -> None:
    made = make_tool(tool_request)
    updated = client.tools.update(made.id, request={"async": False}, request_options=ONCE)
    assert updated.async_ is False
    assert updated.function == made.function


def test_a_delete_answers_with_the_tool_and_it_is_gone(
    client: Any, make_tool: Maker, tool_request: dict[str, Any], refusal: Callable[..., Any]
) -> None:
    made = make_tool(tool_request)
    assert client.tools.delete(made.id, request_options=ONCE).id == made.id
    assert refusal(lambda: client.tools.get(made.id, request_options=ONCE)).status_code == 404
    assert refusal(lambda: client.tools.delete(made.id, request_options=ONCE)).status_code == 404


def test_the_async_client_does_the_same(tool_request: dict[str, Any]) -> None:
    async def run() -> None:
        client = AsyncVapi(token=KEY, base_url=BASE_URL)
        tool = await client.tools.create(request=tool_request, request_options=ONCE)
        assert_is_function_tool(tool)
        assert (await client.tools.get(tool.id, request_options=ONCE)).id == tool.id
        assert tool.id in [t.id for t in await client.tools.list(limit=1000, request_options=ONCE)]
        assert (await client.tools.update(tool.id, request={"async": False}, request_options=ONCE)).async_ is False
        assert (await client.tools.delete(tool.id, request_options=ONCE)).id == tool.id

    asyncio.run(run())


def test_another_type_of_tool_is_kept(client: Any, http: Any) -> None:
    made = http.post("/tool", json={"type": "endCall"}).json()
    tool = client.tools.get(made["id"], request_options=ONCE)
    assert tool.type == "endCall"
    assert client.tools.delete(tool.id, request_options=ONCE).id == tool.id
