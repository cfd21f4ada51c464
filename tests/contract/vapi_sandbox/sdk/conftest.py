"""Fixtures for the official SDK's tests. This folder runs in the SDK's own environment, never in the project's.

`VAPI_BASE_URL` is a sandbox; without it (and with `VAPI_API_KEY`) it is the real API, at no more than one request
per 0.7 s, with names that start with `zt-contract-` and with everything deleted at the end.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from target import BASE_URL, KEY, LIVE, ONCE
from vapi import Vapi
from vapi.core.api_error import ApiError

LIVE_PACE_SECONDS = 0.7


def _paced(request: httpx.Request) -> None:
    """Keep to the pace of Vapi's own tools; the limit of a key is not published."""
    if LIVE:
        time.sleep(LIVE_PACE_SECONDS)


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    """A plain HTTP client with the key, for what the SDK cannot say."""
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=BASE_URL, headers=headers, timeout=30, event_hooks={"request": [_paced]}) as client:
        yield client


@pytest.fixture(scope="session")
def client() -> Iterator[Any]:
    """The SDK's client with a good key."""
    with httpx.Client(timeout=30, event_hooks={"request": [_paced]}) as transport:
        yield Vapi(token=KEY, base_url=BASE_URL, httpx_client=transport)


@pytest.fixture(scope="session")
def prefix() -> str:
    """The beginning of every name that this run gives."""
    return f"zt-contract-{uuid4().hex[:8]}"


@pytest.fixture
def tool_request(prefix: str) -> dict[str, Any]:
    """A function tool as the project registers it."""
    return {
        "type": "function",
        "async": True,
        "function": {
            "name": f"{prefix}_book",
            "description": "Book an appointment.",
            "parameters": {
                "type": "object",
                "properties": {"date": {"type": "string", "format": "date"}},
                "required": ["date"],
            },
        },
        "server": {"url": "https://hooks.example.test/tools", "timeoutSeconds": 20},
        "parameters": [{"key": "organization_id", "value": str(uuid4())}],
    }


@pytest.fixture
def make_tool(client: Any, http: httpx.Client) -> Iterator[Callable[..., Any]]:
    """Create tools that are deleted after the test."""
    ids: list[str] = []

    def make(request: Any) -> Any:
        tool = client.tools.create(request=request, request_options=ONCE)
        ids.append(tool.id)
        return tool

    yield make
    for tool_id in ids:
        assert http.delete(f"/tool/{tool_id}").status_code in (200, 404)


@pytest.fixture
def make_assistant(client: Any, http: httpx.Client, prefix: str) -> Iterator[Callable[..., Any]]:
    """Create assistants that are deleted after the test."""
    ids: list[str] = []

    def make(**fields: Any) -> Any:
        assistant = client.assistants.create(request_options=ONCE, **{"name": prefix, **fields})
        ids.append(assistant.id)
        return assistant

    yield make
    for assistant_id in ids:
        assert http.delete(f"/assistant/{assistant_id}").status_code in (200, 404)


@pytest.fixture
def dials(http: httpx.Client) -> Iterator[Callable[..., None]]:
    """Turn the sandbox's dials; they return to their defaults after the test."""

    def turn(**fields: Any) -> None:
        response = http.put("/__sandbox/dials", json=fields)
        assert response.status_code == 200, response.text

    yield turn
    turn()


@pytest.fixture
def refusal() -> Callable[[Callable[[], Any]], ApiError]:
    """Return the error that a call to the SDK ends in."""

    def of(call: Callable[[], Any]) -> ApiError:
        with pytest.raises(ApiError) as caught:
            call()
        return caught.value

    return of
