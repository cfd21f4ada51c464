"""The control plane: who may use it, reset, state, health."""

from __future__ import annotations

import httpx
import pytest

from vapi_sandbox import DEFAULT_KEY, DEFAULT_VAPI_ORG, SandboxSettings, create_app, parse_dials

from .caller import OTHER_VAPI_ORG, Caller, rule

PATHS = ["/__sandbox/dials", "/__sandbox/journal", "/__sandbox/summary", "/__sandbox/state"]


def _client(settings: SandboxSettings, host: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(settings), client=(host, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://sandbox")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 200), ("::1", 200), ("10.1.2.3", 403)])
async def test_without_a_token_only_loopback_may(path: str, host: str, status: int) -> None:
    async with _client(SandboxSettings(), host) as http:
        assert (await http.get(path)).status_code == status


@pytest.mark.parametrize("path", PATHS)
async def test_with_a_token_only_its_bearer_may(path: str) -> None:
    async with _client(SandboxSettings(control_token="turn"), "127.0.0.1") as http:
        assert (await http.get(path)).status_code == 401
        assert (await http.get(path, headers={"authorization": f"Bearer {DEFAULT_KEY}"})).status_code == 401
        assert (await http.get(path, headers={"authorization": "Bearer turn"})).status_code == 200


async def test_without_a_token_only_loopback_may_simulate_calls() -> None:
    for host, status in (("127.0.0.1", 400), ("10.1.2.3", 403)):
        async with _client(SandboxSettings(), host) as http:
            assert (await http.post("/__sandbox/calls", json={"assistantId": "none"})).status_code == status


async def test_the_health_check_is_open_to_all() -> None:
    async with _client(SandboxSettings(control_token="turn"), "10.1.2.3") as http:
        assert (await http.get("/__sandbox/livez")).json() == {"status": "ok"}


async def test_reset_forgets_everything_and_returns_to_the_dials_of_the_start() -> None:
    settings = SandboxSettings(dials=parse_dials('{"strict_tool_ids": true}'))
    async with _client(settings, "127.0.0.1") as http:
        headers = {"authorization": f"Bearer {DEFAULT_KEY}"}
        await http.put("/__sandbox/dials", json={"rules": [rule("GET /tool", "status", status=500)]})
        await http.post("/tool", json={"type": "endCall"}, headers=headers)
        await http.get("/tool", headers=headers)
        assert (await http.post("/__sandbox/reset")).status_code == 200
        assert (await http.get("/__sandbox/state")).json() == {"vapi_orgs": {}}
        assert (await http.get("/__sandbox/journal")).json() == {"entries": [], "next_after": None}
        assert (await http.get("/__sandbox/dials")).json()["strict_tool_ids"] is True
        summary = (await http.get("/__sandbox/summary")).json()
        assert (summary["requests"], summary["rules_fired"], summary["busiest_minute"]) == ({}, {}, {})
        await http.get("/tool", headers=headers)
        assert (await http.get("/__sandbox/journal")).json()["entries"][0]["sequence"] == 1


async def test_reset_of_a_part_keeps_the_others(vapi: Caller) -> None:
    tool = (await vapi.tool())["id"]
    await vapi.turn(seed=5)
    assert (await vapi.http.post("/__sandbox/reset", json={"only": ["journal"]})).json() == {"reset": ["journal"]}
    assert await vapi.journal() == []
    assert await vapi.listed() == [tool]
    assert (await vapi.http.get("/__sandbox/dials")).json()["seed"] == 5
    assert await vapi.problems("/__sandbox/reset", {"only": ["everything"]}) != []


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"only": "journal"}', b'{"only": [[]]}'])
async def test_a_wrong_reset_is_400(vapi: Caller, body: bytes) -> None:
    assert (await vapi.http.post("/__sandbox/reset", content=body)).status_code == 400


async def test_the_state_has_every_resource_of_every_org(vapi: Caller, foreigner: Caller) -> None:
    tools, assistant = [await vapi.tool(), await vapi.tool()], await vapi.assistant(name='quote " ü')
    foreign = await foreigner.tool()
    state = (await vapi.http.get("/__sandbox/state")).json()["vapi_orgs"]
    assert sorted(t["id"] for t in state[DEFAULT_VAPI_ORG]["tools"]) == sorted(t["id"] for t in tools)
    assert state[DEFAULT_VAPI_ORG]["assistants"] == [assistant]
    assert state[OTHER_VAPI_ORG] == {"tools": [foreign], "assistants": []}
