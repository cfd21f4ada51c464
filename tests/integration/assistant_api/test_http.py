"""HTTP: bad input gets a clear problem and changes nothing; one organization never learns of another."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from zerotouch_platform import traces
from zerotouch_platform.kafka.consumer import BatchConsumer

from .harness import AUDIENCE, ISSUER, Harness, token


async def _count(harness: Harness) -> tuple[int, ...]:
    tables = ("organizations", "agents", "saves", "outbox")
    return tuple([await harness.owner.fetchval(f"SELECT count(*) FROM {table}") for table in tables])  # noqa: S608


def _is_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert len(problem["traceId"]) == 32
    assert {"type", "title", "detail"} <= set(problem)


async def test_an_unknown_agent_is_a_404_problem(harness: Harness) -> None:
    _is_problem(await harness.post("/api/assistants/sync", {"agentId": "nobody"}), 404, "TS-904")
    _is_problem(await harness.get("/api/agents/nobody"), 404, "TS-904")
    _is_problem(await harness.get("/api/assistants/nobody/status"), 404, "TS-904")
    _is_problem(await harness.patch("/api/agents/nobody", {"name": "A"}), 404, "TS-904")
    _is_problem(await harness.get("/api/nothing"), 404, "TS-904")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"name": NaN}', 400),
        (b'{"name": "a", "name": "b"}', 400),
        (b'{"name": ' + b"9" * 5000 + b"}", 400),
        (b"[" * 60_000, 400),
        (b'"text"', 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"name": 7}', 422),
        (b'{"name": ""}', 422),
        (b'{"name": "a", "isAdmin": true}', 422),
        (b'{"name": "a\\u0000b"}', 422),
        (b'{"name": "a\\ud800b"}', 422),
        (b'{"name": "a", "tier": "Not A Tier"}', 422),
        (b'{"name": "a", "id": "not-a-uuid"}', 422),
        (b'{"name": "' + b"x" * 700_000 + b'"}', 413),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else str(value),
)
async def test_a_bad_body_is_a_problem_and_changes_nothing(harness: Harness, raw: bytes, status: int) -> None:
    before = await _count(harness)

    answer = await harness.http.post("/api/organizations", content=raw, headers=harness.bearer())

    _is_problem(answer, status, {400: "TS-901", 413: "TS-905", 422: "TS-901"}[status])
    assert await _count(harness) == before


async def test_a_body_without_a_length_is_cut_off_at_the_limit(harness: Harness) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000_000:
            sent += 16_384
            yield b" " * 16_384

    answer = await harness.http.post("/api/organizations", content=endless(), headers=harness.bearer())

    _is_problem(answer, 413, "TS-905")


@pytest.mark.parametrize(
    "voice",
    [{"a": {"b": "x\x00"}}, {"a\x00": 1}, {"a": ["\ud800"]}, {"a": 2**63}],
    ids=["nul", "nul-key", "surrogate", "huge-number"],
)
async def test_what_cannot_be_stored_is_refused_also_deep_in_a_document(harness: Harness, voice: Any) -> None:
    org_id = await harness.organization()
    raw = json.dumps({"name": "A", "voice": voice}).encode()

    answer = await harness.http.post("/api/agents", content=raw, headers=harness.bearer(org_id))

    _is_problem(answer, 422, "TS-901")


async def test_problems_do_not_repeat_what_was_sent(harness: Harness) -> None:
    org_id = await harness.organization()
    canary = "patient-secret-4711"

    answer = await harness.post("/api/agents", {"name": canary * 10, "id": f"!{canary}", "extra": canary}, org_id)

    assert answer.status_code == 422
    assert canary not in answer.text


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Basic abc",
        "Bearer not.a.token",
        f"Bearer {token(expires_in_seconds=-120)}",
        f"Bearer {token(aud='another')}",
        f"Bearer {token(iss='https://another')}",
        f"Bearer {token(exp=None)}",
        f"Bearer {token(sub=None)}",
        f"Bearer {token(role='admin')}",
        f"Bearer {token(role='org')}",
        f"Bearer {token(role='org', org_id='not-a-uuid')}",
        f"Bearer {token(padding='x' * 9000)}",
        "Bearer "
        + jwt.encode(
            {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "exp": int(time.time()) + 60, "role": "platform"},
            Ed25519PrivateKey.generate(),
            "EdDSA",
        ),
        "Bearer "
        + jwt.encode(
            {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "exp": int(time.time()) + 60, "role": "platform"},
            "",
            "none",
        ),
    ],
)
async def test_a_wrong_or_missing_token_is_a_401(harness: Harness, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for method, path in (
        ("POST", "/api/organizations"),
        ("POST", "/api/agents"),
        ("GET", "/api/agents"),
        ("GET", "/api/agents/a"),
        ("PATCH", "/api/agents/a"),
        ("POST", "/api/assistants/sync"),
        ("POST", "/api/assistants/auto-sync"),
        ("GET", "/api/assistants/a/status"),
    ):
        answer = await harness.http.request(method, path, headers=headers)
        _is_problem(answer, 401, "TS-902")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_organizations_token_makes_no_organization(harness: Harness) -> None:
    org_id = await harness.organization()
    _is_problem(await harness.post("/api/organizations", {"name": "B"}, org_id), 403, "TS-903")


async def test_an_organization_sees_nothing_of_another(harness: Harness) -> None:
    mine, theirs = await harness.organization(), await harness.organization()
    await harness.agent(theirs, id="secret")
    before = await _count(harness)

    foreign = [
        await harness.get("/api/agents/secret", mine),
        await harness.get(f"/api/agents/secret?orgId={theirs}", mine),
        await harness.get("/api/assistants/secret/status", mine),
        await harness.patch("/api/agents/secret", {"name": "Mine"}, mine),
        await harness.post("/api/assistants/sync", {"agentId": "secret"}, mine),
        await harness.post("/api/assistants/sync", {"agentId": "secret", "orgId": str(theirs)}, mine),
        await harness.post("/api/assistants/auto-sync", {"agentId": "secret"}, mine),
        await harness.post("/api/assistants/auto-sync", {"orgId": str(theirs)}, mine),
        await harness.post("/api/agents", {"name": "X", "orgId": str(theirs)}, mine),
        await harness.get(f"/api/agents?orgId={theirs}", mine),
    ]
    absent = await harness.get("/api/agents/absent", mine)

    for answer in foreign:
        _is_problem(answer, 404, "TS-904")
        assert {**answer.json(), "traceId": ""} == {**absent.json(), "traceId": ""}
    assert await _count(harness) == before
    assert (await harness.get("/api/agents", mine)).json() == {"items": [], "next": None}


async def test_two_organizations_may_use_the_same_agent_id(harness: Harness) -> None:
    first, second = await harness.organization(), await harness.organization()
    await harness.agent(first, id="front-desk", name="First")
    await harness.agent(second, id="front-desk", name="Second")

    assert (await harness.get("/api/agents/front-desk", first)).json()["name"] == "First"
    assert (await harness.get("/api/agents/front-desk", second)).json()["name"] == "Second"
    _is_problem(await harness.post("/api/assistants/sync", {"agentId": "front-desk"}), 409, "TS-901")
    answer = await harness.post("/api/assistants/sync", {"agentId": "front-desk", "orgId": str(second)})
    assert (answer.status_code, answer.json()["orgId"]) == (200, str(second))


async def test_ids_that_exist_are_a_409(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")

    _is_problem(await harness.post("/api/agents", {"id": "a", "name": "A"}, org_id), 409, "TS-909")
    _is_problem(await harness.post("/api/organizations", {"id": str(org_id), "name": "A"}), 409, "TS-909")
    _is_problem(await harness.post("/api/agents", {"name": "A", "orgId": str(uuid4())}), 404, "TS-904")


async def test_agents_are_listed_page_by_page(harness: Harness) -> None:
    org_id = await harness.organization()
    ids = [f"a{number}" for number in range(7)]
    await harness.owner.executemany(
        "INSERT INTO agents (id, org_id, name) VALUES ($1, $2, 'A')", [(each, org_id) for each in ids]
    )

    seen: list[str] = []
    path: str | None = "/api/agents?limit=3"
    while path:
        page = (await harness.get(path, org_id)).json()
        seen += [item["id"] for item in page["items"]]
        path = f"/api/agents?limit=3&after={page['next']}" if page["next"] else None

    assert seen == ids
    _is_problem(await harness.get("/api/agents?after=garbage", org_id), 422, "TS-901")
    _is_problem(await harness.get("/api/agents?limit=1000", org_id), 422, "TS-901")


async def test_a_page_of_long_prompts_ends_early_and_the_next_one_goes_on(harness: Harness) -> None:
    org_id = await harness.organization()
    long = "\N{TELEPHONE RECEIVER}" * 40_000  # four bytes each
    for number in range(9):
        await harness.agent(org_id, id=f"agent-{number}", systemPrompt=long if number != 4 else "short")

    sizes, ids, path = [], [], "/api/agents"
    while path:
        answer = await harness.get(path, org_id)
        page = answer.json()
        sizes.append(len(answer.content))
        ids += [agent["id"] for agent in page["items"]]
        path = f"/api/agents?after={page['next']}" if page["next"] else ""

    assert ids == [f"agent-{number}" for number in range(9)]
    assert len(sizes) == 2
    assert max(sizes) < 1_400_000


async def test_a_patch_changes_what_it_names_and_nothing_else(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a", name="Before", systemPrompt="Be kind.", firstMessage="Hello")

    answer = await harness.patch("/api/agents/a", {"firstMessage": "Good day"}, org_id)

    assert answer.status_code == 200
    agent = (await harness.get("/api/agents/a", org_id)).json()
    assert (agent["name"], agent["systemPrompt"], agent["firstMessage"]) == ("Before", "Be kind.", "Good day")
    assert (agent["revision"], agent["state"]) == (2, "provisioned")


async def test_an_idempotency_key_gives_the_first_answer_again(harness: Harness) -> None:
    org_id = await harness.organization()
    headers = {"Idempotency-Key": "key-1"}

    first = await harness.post("/api/agents", {"name": "A"}, org_id, headers)
    again = await harness.post("/api/agents", {"name": "A"}, org_id, headers)

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert await harness.owner.fetchval("SELECT count(*) FROM agents") == 1
    other_body = await harness.post("/api/agents", {"name": "B"}, org_id, headers)
    _is_problem(other_body, 422, "TS-906")
    other_route = await harness.post("/api/assistants/auto-sync", {"name": "A"}, org_id, headers)
    _is_problem(other_route, 422, "TS-906")


async def test_an_idempotency_key_belongs_to_one_organization(harness: Harness) -> None:
    first, second = await harness.organization(), await harness.organization()
    headers = {"Idempotency-Key": "same"}

    one = await harness.post("/api/agents", {"name": "A"}, first, headers)
    two = await harness.post("/api/agents", {"name": "B"}, second, headers)

    assert (one.status_code, two.status_code) == (200, 200)
    assert one.json()["agentId"] != two.json()["agentId"]


async def test_a_kept_answer_may_be_a_problem(harness: Harness) -> None:
    org_id = await harness.organization()
    headers = {"Idempotency-Key": "bad"}
    body = {"name": "A", "model": {"provider": "nope", "model": "x"}}

    first = await harness.post("/api/agents", body, org_id, headers)
    again = await harness.post("/api/agents", body, org_id, headers)

    assert first.status_code == 422
    assert again.json() == first.json()


async def test_a_repeat_during_the_first_request_is_a_409(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.vapi.dial(latency_ms=400)
    headers = {"Idempotency-Key": "slow"}

    answers = await asyncio.gather(*(harness.post("/api/agents", {"name": "A"}, org_id, headers) for _ in range(3)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"TS-907"}
    assert await harness.owner.fetchval("SELECT count(*) FROM agents") == 1


async def test_a_request_whose_process_died_is_finished_by_its_repeat(harness: Harness) -> None:
    org_id = await harness.organization()
    headers = {"Idempotency-Key": "died"}
    first = await harness.post("/api/agents", {"name": "A"}, org_id, headers)
    await harness.owner.execute(
        "UPDATE idempotency_keys SET status = NULL, body = NULL, locked_until = now() - interval '1 s'"
    )

    again = await harness.post("/api/agents", {"name": "A"}, org_id, headers)

    assert again.status_code == 200
    assert again.json()["agentId"] == first.json()["agentId"]
    assert again.json()["requestId"] == first.json()["requestId"]
    assert len(await harness.outbox()) == 1


async def test_a_trace_is_a_link_where_the_address_of_its_pages_is_known(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    assert "traceUrl" not in (await harness.get("/api/agents/none", org_id)).json()

    monkeypatch.setattr(traces, "_jaeger_ui_url", "http://jaeger.example.test")
    for path in ("/api/agents/none", "/api/assistants/a/status"):
        answer = (await harness.get(path, org_id)).json()
        assert answer["traceUrl"] == f"http://jaeger.example.test/trace/{answer['traceId']}"


async def test_a_callers_trace_is_continued(harness: Harness) -> None:
    org_id = await harness.organization()
    trace_id = uuid4().hex

    answer = await harness.post(
        "/api/agents", {"id": "a", "name": "A"}, org_id, {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-00"}
    )

    assert answer.json()["traceId"] == trace_id
    assert answer.headers["x-trace-id"] == trace_id
    [message] = await harness.outbox()
    assert message["traceparent"].split("-")[1] == trace_id


async def test_readiness_says_why_and_liveness_does_not_care(harness: Harness) -> None:
    assert (await harness.http.get("/livez")).status_code == 200
    answer = await harness.http.get("/readyz")
    assert answer.status_code == 503
    assert set(answer.json()["reasons"]) == {"kafka", "relay", "outcomes"}


async def test_a_process_that_reads_no_outcomes_any_more_is_not_live(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchConsumer, "wedged", "records are waiting")
    answer = await harness.http.get("/livez")
    assert (answer.status_code, answer.json()["reasons"]) == (503, {"outcomes": "records are waiting"})


async def test_the_openapi_document_has_the_bodies(harness: Harness) -> None:
    document = (await harness.http.get("/api/openapi.json")).json()
    body = document["paths"]["/api/assistants/sync"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/SyncRequest"}
    assert set(document["components"]["schemas"]["SyncRequest"]["properties"]) == {"agentId", "orgId"}
    assert set(document["paths"]) == {
        "/livez",
        "/readyz",
        "/api/organizations",
        "/api/organizations/{org_id}",
        "/api/saves",
        "/api/agents",
        "/api/agents/{agent_id}",
        "/api/assistants/sync",
        "/api/assistants/auto-sync",
        "/api/assistants/{agent_id}/status",
        "/api/access",
        "/api/appointments",
        "/api/erasures",
        "/api/erasures/{erasure_id}",
        "/api/patients/export",
        "/api/organizations/{org_id}/calendar",
        "/api/organizations/{org_id}/vapi-key",
        "/api/tools/{tool}/dry-run",
        "/api/vapi-minutes",
        "/api/vapi/tool-calls",
    }
