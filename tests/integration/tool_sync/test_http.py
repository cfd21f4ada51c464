"""The HTTP API against a real database: who may see what, and what the answers hold."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from opentelemetry.trace import use_span

from devstack.tokens import AUDIENCE, ISSUER, Signer
from tool_sync import db
from tool_sync.app.health import noted
from tool_sync.domain import events
from tool_sync.http.app import build
from tool_sync.http.state import HttpState
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, org_stream, toolset_stream
from tool_sync.queries.org_tools import tools_of
from tool_sync.queries.timeline import history_of
from tool_sync.settings import Settings
from tool_sync.vapi.rate_limit import KeyLimits, KeyTable, SharedKey, paused_keys
from zerotouch_platform import telemetry, traces
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health

TRACE = "0af7651916cd43dd8448eb211c80319c"
HASH = "a" * 64


@pytest.fixture
def health() -> Health:
    return Health(check_seconds_max=0.2, starting=None)


@pytest.fixture
async def client(settings: Settings, pool: db.Pool, health: Health) -> AsyncIterator[httpx.AsyncClient]:
    app = build(HttpState(TokenVerifier(settings), health, pool), telemetry.off())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://tool-sync") as client:
        yield client


@pytest.fixture
async def org(event_log: EventLog) -> UUID:
    """An org with one registered tool."""
    return await make_org(event_log)


async def make_org(log: EventLog) -> UUID:
    org_id = uuid4()
    meta = Meta("cause", "correlation", f"00-{TRACE}-b7ad6b7169203331-01", "test", "1")
    registered = events.ToolRegistered(
        uuid4(), "platform", "bookClinicAppointment", f"tool-{org_id}", 1, HASH, HASH, adopted=False
    )
    new: list[tuple[str, events.Event]] = [
        (org_stream(org_id), events.OrgRegistered("basic")),
        (toolset_stream(org_id), registered),
        (toolset_stream(org_id), events.DriftDetected("agent-1", "assistant-1", HASH)),
    ]
    for stream, event in new:
        await log.append(AppendRequest(stream, org_id, None, (NewEvent(uuid4(), event),), meta))
    return org_id


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    return body


async def test_the_tools_of_an_org_as_of_a_position(client: httpx.AsyncClient, org: UUID, signer: Signer) -> None:
    for token in (signer.platform_token(), signer.org_token(str(org))):
        answer = await client.get(f"/v1/orgs/{org}/tools", headers=bearer(token))
        assert answer.status_code == 200
        body = answer.json()
        assert body["as_of_position"] == 3
        (tool,) = body["tools"]
        assert (tool["id"], tool["position"], tool["tool_name"]) == (2, 2, "bookClinicAppointment")
        assert (tool["vapi_tool_id"], tool["enabled"], tool["definition_version"]) == (f"tool-{org}", True, 1)


async def test_the_history_comes_in_pages(client: httpx.AsyncClient, org: UUID, signer: Signer) -> None:
    headers = bearer(signer.org_token(str(org)))
    first = (await client.get(f"/v1/orgs/{org}/history?limit=2", headers=headers)).json()
    assert [(e["position"], e["type"], e["trace_id"]) for e in first["events"]] == [
        (1, "OrgRegistered", TRACE),
        (2, "ToolRegistered", TRACE),
    ]
    assert first["events"][0]["data"] == {"tier": "basic", "time_zone": None}
    second = (await client.get(f"/v1/orgs/{org}/history?limit=2&after={first['next_after']}", headers=headers)).json()
    assert [e["type"] for e in second["events"]] == ["DriftDetected"]
    assert second["next_after"] is None
    assert (await client.get(f"/v1/orgs/{org}/history?after=3", headers=headers)).json() == {
        "events": [],
        "next_after": None,
    }


@pytest.mark.parametrize("what", ["tools", "history"])
async def test_an_org_learns_nothing_of_another(
    client: httpx.AsyncClient, org: UUID, event_log: EventLog, signer: Signer, what: str
) -> None:
    other = await make_org(event_log)
    foreign = await client.get(f"/v1/orgs/{other}/{what}", headers=bearer(signer.org_token(str(org))))
    unknown = await client.get(f"/v1/orgs/{uuid4()}/{what}", headers=bearer(signer.org_token(str(org))))
    assert problem(foreign, 404, "TS-904") == problem(unknown, 404, "TS-904")
    problem(await client.get(f"/v1/orgs/{uuid4()}/{what}", headers=bearer(signer.platform_token())), 404, "TS-904")


async def test_row_level_security_stands_behind_the_check_of_the_path(
    pool: db.Pool, org: UUID, event_log: EventLog
) -> None:
    other = await make_org(event_log)
    async with db.tenant_tx(pool, org) as connection:
        assert await tools_of(connection, other) is None
        assert await history_of(connection, other, after=0, limit=10) is None
        own = await tools_of(connection, org)
        assert own is not None
        assert len(own.tools) == 1


@pytest.fixture
def claims() -> dict[str, Any]:
    now = int(time.time())
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "role": "platform", "iat": now, "exp": now + 60}


@pytest.mark.parametrize(
    "change",
    [
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"iss": "https://somebody.else"},
        {"aud": "something-else"},
        {"role": None},
        {"role": "admin"},
        {"role": "org"},
        {"role": "org", "org_id": "no uuid"},
        {"role": "org", "org_id": ["x"]},
    ],
    ids=str,
)
async def test_a_token_with_a_wrong_claim_is_refused(
    client: httpx.AsyncClient, org: UUID, signer: Signer, claims: dict[str, Any], change: dict[str, Any]
) -> None:
    changed = {name: value for name, value in {**claims, **change}.items() if value is not None}
    token = jwt.encode(changed, signer.private_key, algorithm="EdDSA")
    answer = await client.get(f"/v1/orgs/{org}/tools", headers=bearer(token))
    problem(answer, 401, "TS-902")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_must_be_signed_by_the_one_key_with_the_one_algorithm(
    client: httpx.AsyncClient, org: UUID, signer: Signer, claims: dict[str, Any]
) -> None:
    stranger = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    good = jwt.encode(claims, signer.private_key, algorithm="EdDSA")
    header, body, signature = good.split(".")
    attempts = [
        jwt.encode(claims, stranger, algorithm="EdDSA"),
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims, "0" * 32, algorithm="HS256"),
        f"{header}.{body}.{signature[:-4]}AAAA",
        f"{header}.{body}.",
        "garbage",
        "x" * 10_000,
    ]
    for token in attempts:
        problem(await client.get(f"/v1/orgs/{org}/tools", headers=bearer(token)), 401, "TS-902")
    for headers in ({}, {"Authorization": good}, {"Authorization": f"Basic {good}"}, {"Authorization": "Bearer "}):
        problem(await client.get(f"/v1/orgs/{org}/tools", headers=headers), 401, "TS-902")
    assert (await client.get(f"/v1/orgs/{org}/tools", headers=bearer(good))).status_code == 200


@pytest.mark.parametrize(
    "path", ["no-uuid/tools", "{org}/history?limit=0", "{org}/history?limit=501", "{org}/history?after=-1",
             "{org}/history?after=9223372036854775808", "{org}/history?after=x"]
)  # fmt: skip
async def test_a_malformed_request_is_a_problem_that_names_the_place(
    client: httpx.AsyncClient, org: UUID, signer: Signer, path: str
) -> None:
    answer = await client.get("/v1/orgs/" + path.format(org=org), headers=bearer(signer.platform_token()))
    assert problem(answer, 422, "TS-901")["errors"]


async def test_other_errors_are_problems_too(client: httpx.AsyncClient, org: UUID) -> None:
    problem(await client.get("/nothing/here"), 404, "TS-904")
    problem(await client.post(f"/v1/orgs/{org}/tools"), 405, "TS-901")


async def test_a_problem_links_to_its_trace_where_the_address_of_its_pages_is_known(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "_jaeger_ui_url", "http://jaeger.example.test")
    with use_span(telemetry.off().start("x", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")):
        answer = (await client.get("/nothing/here")).json()
    assert answer["trace_id"] == TRACE
    assert answer["trace_url"] == f"http://jaeger.example.test/trace/{TRACE}"


async def test_without_a_database_reads_say_so(client: httpx.AsyncClient, settings: Settings, signer: Signer) -> None:
    app = build(HttpState(TokenVerifier(settings), Health(check_seconds_max=0.2)), telemetry.off())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as starting:
        answer = await starting.get(f"/v1/orgs/{uuid4()}/tools", headers=bearer(signer.platform_token()))
        problem(answer, 503, "TS-910")
        ready = await starting.get("/readyz")
        assert ready.status_code == 503
        assert "start" in ready.json()["problems"]
        assert (await starting.get("/livez")).status_code == 200


async def test_health_names_what_is_wrong(client: httpx.AsyncClient, health: Health) -> None:
    async def well() -> str | None:
        return None

    async def ill() -> str | None:
        return "the topic is missing"

    assert (await client.get("/readyz")).json() == {"ok": True, "problems": {}}
    health.ready |= {"database": well, "kafka": ill}
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["problems"]) == (503, {"kafka": "the topic is missing"})
    assert (await client.get("/livez")).status_code == 200
    health.live["intake"] = ill
    assert (await client.get("/livez")).status_code == 503


async def test_a_paused_key_is_a_note_of_a_process_that_stays_ready(
    client: httpx.AsyncClient, health: Health, pool: db.Pool, settings: Settings
) -> None:
    key = SharedKey(KeyTable(pool, "fingerprint"), KeyLimits(None, 1.0), monotonic=time.monotonic)

    async def well() -> str | None:
        return None

    health.notes["vapi_key"] = partial(noted, pool, paused_keys)
    health.ready["database"] = well
    assert (await client.get("/readyz")).json() == {"ok": True, "problems": {}}
    await key.note("refused", datetime.now(UTC), 0.5, None, "TS-202")
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["ok"]) == (200, True)
    (note,) = answer.json()["notes"]["vapi_key"]
    assert (note["fingerprint"], note["code"], note["who_acts"]) == ("fingerprint", "TS-202", "platform operator")
    assert datetime.fromisoformat(note["since"]) <= datetime.now(UTC)
    assert note["what_to_do"]
    assert "notes" not in (await client.get("/livez")).json()


async def test_a_note_that_does_not_come_holds_up_no_answer(client: httpx.AsyncClient, health: Health) -> None:
    async def never() -> list[dict[str, object]]:
        await asyncio.Event().wait()
        return []

    health.notes["vapi_key"] = never
    assert (await client.get("/readyz")).json() == {"ok": True, "problems": {}}


async def test_openapi_says_which_routes_need_a_token(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert set(document["paths"]) == {
        "/livez", "/readyz", "/v1/orgs/{org_id}/tools", "/v1/orgs/{org_id}/history", "/v1/events", "/v1/events/stream",
        "/v1/assistants", "/v1/assistants/{assistant}/explain", "/v1/orgs/{org_id}/tools/{tool}/why",
        "/v1/orgs/{org_id}/vapi-words", "/v1/orgs/{org_id}/changes", "/v1/orgs/{org_id}/tools/{tool}/settings",
        "/v1/fleet/events", "/v1/fleet/events/stream", "/v1/orgs", "/v1/orgs/{org_id}/wanted",
        "/v1/orgs/{org_id}/calls", "/v1/orgs/{org_id}/notices", "/v1/orgs/{org_id}/notices/test",
        "/v1/orgs/{org_id}/notices/replay",
        "/v1/orgs/{org_id}/status-links", "/v1/orgs/{org_id}/status-links/{link_id}",
        "/v1/orgs/{org_id}/change-window", "/v1/orgs/{org_id}/tools/{tool}/pin",
        "/v1/tools", "/v1/tools/lint", "/v1/tools/{tool}", "/v1/tools/{tool}/diff", "/v1/tools/{tool}/drift",
        "/v1/tools/{tool}/versions/{version}", "/v1/tools/{tool}/versions/{version}/withdraw",
        *(f"/v1/tools/{{tool}}/{verb}" for verb in ("halt", "resume", "enable", "disable")),
        "/v1/console/links", "/v1/rollouts", "/v1/rollouts/{rollout_id}", "/v1/rollouts/{rollout_id}/orgs",
        *(f"/v1/rollouts/{{rollout_id}}/{verb}" for verb in ("apply", "retry", "{command}")),
    }  # fmt: skip
    for path, item in document["paths"].items():
        assert all(("security" in item[method]) == path.startswith("/v1/") for method in item)
