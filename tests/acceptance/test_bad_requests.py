"""Bad requests get a problem document that says what is wrong, and nothing is half-saved or lost by them."""

import json
import time
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest

from assistant_api.limits import BODY_BYTES_MAX
from devstack.tokens import AUDIENCE, ISSUER, new_signer

from .world import PATIENCE_SECONDS, World


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Checks that an answer of assistant-api is a whole problem document; returns it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["title"]
    assert body["detail"]
    assert int(body["traceId"], 16) != 0
    assert body["traceId"] == answer.headers["x-trace-id"]
    return body


async def counted(world: World) -> tuple[int, int, int]:
    """How many organizations, agents and saves there are."""
    tables = ("organizations", "agents", "saves")
    found = [await world.assistants_db.fetchval(f"SELECT count(*) FROM {table}") for table in tables]  # noqa: S608
    return found[0], found[1], found[2]


async def test_an_agent_that_nobody_knows(world: World) -> None:
    before = await counted(world)
    for path in ("/api/assistants/sync", "/api/assistants/auto-sync"):
        problem(await world.http.post(path, json={"agentId": "nobody"}), 404, "TS-904")
    problem(await world.http.get("/api/assistants/nobody/status"), 404, "TS-904")
    problem(await world.http.get("/api/agents/nobody"), 404, "TS-904")
    problem(await world.http.patch("/api/agents/nobody", json={"name": "x"}), 404, "TS-904")
    assert await counted(world) == before


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b'{"agentId": }', b"agentId=x", b'{"agentId": "\xff"}', b'{"agentId": NaN}', b"[" * 60_000],
    ids=["empty", "cut off", "no value", "a form", "no UTF-8", "NaN", "deep"],
)
async def test_a_body_that_is_no_json(world: World, raw: bytes) -> None:
    before = await counted(world)
    for path in ("/api/assistants/sync", "/api/organizations", "/api/agents"):
        answer = await world.http.post(path, content=raw)
        body = problem(answer, 400, "TS-901")
        assert "JSON" in body["detail"]
    assert await counted(world) == before


async def test_a_body_that_is_json_of_another_form_names_the_fields(world: World) -> None:
    answer = await world.http.post("/api/assistants/sync", json={"agent_id": "x", "agentId": 7})
    assert {error["field"] for error in problem(answer, 422, "TS-901")["errors"]} == {"agent_id", "agentId"}


async def test_a_body_over_the_limit_is_refused_and_one_of_exactly_the_limit_is_read(world: World) -> None:
    body = json.dumps({"agentId": "nobody"}).encode()
    fits = body + b" " * (BODY_BYTES_MAX - len(body))
    problem(await world.http.post("/api/assistants/sync", content=fits), 404, "TS-904")
    problem(await world.http.post("/api/assistants/sync", content=fits + b" "), 413, "TS-905")

    async def without_saying_its_length() -> Any:
        for start in range(0, len(fits), 10_000):
            yield fits[start : start + 10_000]
        yield b" "

    answer = await world.http.post("/api/assistants/sync", content=without_saying_its_length())
    problem(answer, 413, "TS-905")


@pytest.mark.parametrize("bad", [r"a\u0000b", r"a\ud800b", r"\udfff\ud83d"], ids=["U+0000", "surrogate", "swapped"])
async def test_text_that_cannot_be_stored(world: World, bad: str) -> None:
    org_id = await world.organization()
    saved = await world.synced_agent(org_id)
    before = await counted(world)
    for method, path, raw in (
        ("POST", "/api/organizations", f'{{"name": "{bad}"}}'),
        ("POST", "/api/agents", f'{{"orgId": "{org_id}", "name": "{bad}"}}'),
        ("POST", "/api/agents", f'{{"orgId": "{org_id}", "name": "x", "voice": {{"a": [{{"{bad}": 1}}]}}}}'),
        ("PATCH", f"/api/agents/{saved['agentId']}", f'{{"systemPrompt": "{bad}"}}'),
        ("POST", "/api/assistants/sync", f'{{"agentId": "{bad}"}}'),
    ):
        problem(await world.http.request(method, path, content=raw), 422, "TS-901")
    assert await counted(world) == before

    good = await world.http.post("/api/agents", json={"orgId": str(org_id), "name": "Zoë 👩‍⚕️ \ufffd"})
    assert good.status_code == 200, good.text
    request_id = UUID(good.json()["requestId"])
    await world.outcomes.of(request_id, until=time.monotonic() + PATIENCE_SECONDS)
    assert (await world.vapi.assistant(good.json()["assistantId"]))["name"] == "Zoë 👩‍⚕️ \ufffd"


async def test_a_token_that_is_missing_wrong_or_expired(world: World) -> None:
    org_id = await world.organization()
    saved = await world.synced_agent(org_id)
    before = await counted(world)
    signer, now = world.stack.signer, int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "role": "platform", "iat": now, "exp": now + 600}
    right = signer.platform_token()
    bad_tokens = {
        "somebody else's key": new_signer().platform_token(),
        "expired": signer.platform_token(lifetime_seconds=-120),
        "no signature": jwt.encode(claims, "", algorithm="none"),
        "public key as secret": jwt.encode(claims, "x" * 64, algorithm="HS256"),
        "cut": right[:-4],
        "other audience": jwt.encode({**claims, "aud": "x"}, signer.private_key, algorithm="EdDSA"),
        "other issuer": jwt.encode({**claims, "iss": "x"}, signer.private_key, algorithm="EdDSA"),
        "for ever": jwt.encode(
            {name: value for name, value in claims.items() if name != "exp"}, signer.private_key, algorithm="EdDSA"
        ),
    }
    headers = [{"authorization": f"Bearer {token}"} for token in bad_tokens.values()]
    headers += [{"authorization": ""}, {"authorization": f"Basic {right}"}]
    for header in headers:
        for method, path in (
            ("POST", "/api/organizations"),
            ("POST", "/api/assistants/sync"),
            ("POST", "/api/assistants/auto-sync"),
            ("GET", f"/api/agents/{saved['agentId']}"),
            ("GET", f"/api/assistants/{saved['agentId']}/status"),
        ):
            answer = await world.http.request(method, path, headers=header, json={"agentId": saved["agentId"]})
            problem(answer, 401, "TS-902")
            assert answer.headers["www-authenticate"] == "Bearer"
        for path in (f"/v1/orgs/{org_id}/tools", f"/v1/orgs/{org_id}/history"):
            answer = await world.tool_sync.get(path, headers=header)
            assert (answer.status_code, answer.json()["code"]) == (401, "TS-902")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"
    assert await counted(world) == before


async def test_a_token_of_one_org_finds_nothing_of_another(world: World) -> None:
    mine, theirs = await world.organization("A"), await world.organization("B")
    saved = await world.synced_agent(theirs)
    agent_id, bearer, before = saved["agentId"], world.bearer(mine), await counted(world)

    async def asked(agent: str, org: UUID) -> list[dict[str, Any]]:
        answers = [
            await world.http.request(method, path, headers=bearer, json=body)
            for method, path, body in (
                ("POST", "/api/assistants/sync", {"agentId": agent}),
                ("POST", "/api/assistants/sync", {"agentId": agent, "orgId": str(org)}),
                ("POST", "/api/assistants/auto-sync", {"agentId": agent}),
                ("POST", "/api/assistants/auto-sync", {"orgId": str(org)}),
                ("POST", "/api/agents", {"orgId": str(org), "name": "x"}),
                ("PATCH", f"/api/agents/{agent}", {"name": "x"}),
                ("PATCH", f"/api/agents/{agent}?orgId={org}", {"name": "x"}),
                ("GET", f"/api/agents/{agent}", None),
                ("GET", f"/api/assistants/{agent}/status", None),
                ("GET", f"/api/assistants/{agent}/status?orgId={org}", None),
            )
        ]
        return [{**problem(answer, 404, "TS-904"), "traceId": None} for answer in answers]

    # What is another's looks like what is nowhere, word by word.
    assert await asked(agent_id, theirs) == await asked("nobody", uuid4())
    for path in ("tools", "history"):
        other = await world.tool_sync.get(f"/v1/orgs/{theirs}/{path}", headers=bearer)
        nowhere = await world.tool_sync.get(f"/v1/orgs/{uuid4()}/{path}", headers=bearer)
        assert other.status_code == nowhere.status_code == 404
        assert {**other.json(), "trace_id": None} == {**nowhere.json(), "trace_id": None}
    listed = (await world.http.get("/api/agents", headers=bearer)).json()["items"]
    assert listed == []
    assert await counted(world) == before

    mine_too = (await world.tool_sync.get(f"/v1/orgs/{theirs}/tools", headers=world.bearer(theirs))).json()
    assert len(mine_too["tools"]) == 1
