"""The access log: one row for each read of patients and each write, in its transaction, and nobody changes a row."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import structlog
from tests.support.eventually import eventually
from tests.support.widths import too_wide
from typer.testing import CliRunner

from assistant_api.access_log.entry import Action
from assistant_api.access_log.listing import PAGE_MAX
from assistant_api.app.housekeeping import Housekeeping
from assistant_api.cli.app import app
from devstack.databases import DatabaseUrls

from .harness import Harness, token

WHY = "the clinic asked"
REASON = {"X-Access-Reason": WHY}
TENANTS_ROW = "SELECT action, result FROM access_log ORDER BY id"


async def rows(harness: Harness, org_id: UUID | None = None) -> list[dict[str, Any]]:
    """The rows of an organization, oldest first."""
    found = await harness.owner.fetch(
        "SELECT * FROM access_log WHERE $1::uuid IS NULL OR org_id = $1 ORDER BY id", org_id
    )
    return [dict(row) for row in found]


async def names(harness: Harness, org_id: UUID | None = None) -> list[tuple[str, str]]:
    return [(row["action"], row["result"]) for row in await rows(harness, org_id)]


def as_(org_id: UUID, **claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(org_id, **claims)}"}


async def appointments(harness: Harness, headers: dict[str, str], org_id: UUID) -> httpx.Response:
    return await harness.http.get(f"/api/appointments?orgId={org_id}", headers=headers)


async def test_every_write_over_http_leaves_one_row(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.patch(f"/api/organizations/{org_id}", {"tier": "professional"})
    await harness.http.put(f"/api/organizations/{org_id}/calendar", json={}, headers=harness.bearer(org_id))
    await harness.agent(org_id, id="front-desk")
    await harness.patch("/api/agents/front-desk", {"name": "Desk"}, org_id)
    await harness.post("/api/assistants/sync", {"agentId": "front-desk"}, org_id)
    await harness.post("/api/assistants/auto-sync", {"agentId": "front-desk"}, org_id)
    await harness.post("/api/assistants/auto-sync", {}, org_id)
    await harness.delete("/api/agents/front-desk", org_id)
    await harness.delete(f"/api/organizations/{org_id}")

    found = await rows(harness, org_id)
    assert [(row["action"], row["object_id"]) for row in found] == [
        ("organization.create", str(org_id)),
        ("organization.change", str(org_id)),
        ("calendar.replace", str(org_id)),
        ("agent.create", "front-desk"),
        ("agent.change", "front-desk"),
        ("agent.sync", "front-desk"),
        ("agent.sync", "front-desk"),
        ("agents.sync", str(org_id)),
        ("agent.delete", "front-desk"),
        ("organization.delete", str(org_id)),
    ]
    assert {(row["result"], row["code"], row["db_user"]) for row in found} == {("done", None, "assistant_api")}
    assert {row["object_type"] for row in found} == {"organization", "calendar", "agent", "agents"}
    assert {row["action"] for row in found} <= set(Action)
    counted = harness.service.access_counter.counted
    assert counted["agent.sync", "done"] == 2


async def test_a_row_says_who_with_which_token_in_which_trace_and_why(harness: Harness) -> None:
    org_id = await harness.organization()
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    bearer = as_(org_id, sub="lee", jti="t-1", scope="appointments:read openid")
    traced = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    assert (await appointments(harness, bearer | REASON | traced, org_id)).status_code == 200

    row = (await rows(harness, org_id))[-1]
    assert (row["principal"], row["token_id"], row["role"]) == ("lee", "t-1", "org")
    assert (row["scopes"], row["trace_id"], row["reason"]) == (["appointments:read"], trace_id, WHY)
    assert (row["action"], row["object_type"], row["object_id"]) == ("appointments.list", "appointments", None)


async def test_the_platform_reads_patients_only_with_a_reason(harness: Harness) -> None:
    org_id = await harness.organization()
    bearer = harness.bearer()

    without = await appointments(harness, bearer, org_id)
    assert (without.status_code, without.json()["header"]) == (403, "X-Access-Reason")
    assert "X-Access-Reason" in without.json()["detail"]
    for wrong in ("", " ", "x" * 201, "a\tb", "call +49 151 23456789", "mail a@b.example"):
        answer = await appointments(harness, bearer | {"X-Access-Reason": wrong}, org_id)
        assert (answer.status_code, answer.json()["code"]) == (422, "TS-901"), wrong
    spoken = httpx.Headers(
        [(b"authorization", bearer["Authorization"].encode()), (b"x-access-reason", "Rückfrage".encode())]
    )
    answer = await harness.http.get(f"/api/appointments?orgId={org_id}", headers=spoken)
    assert answer.status_code == 200
    assert (await appointments(harness, harness.bearer(org_id), org_id)).status_code == 200  # its own patients

    found = await rows(harness)
    assert [row["reason"] for row in found if row["result"] == "done"][1:] == ["Rückfrage", None]
    assert [row["code"] for row in found if row["result"] == "refused"] == ["TS-903"] + ["TS-901"] * 6
    assert not any(row["reason"] for row in found if row["result"] == "refused")


async def test_what_was_refused_is_a_row_and_who_was_not_known_is_none(harness: Harness) -> None:
    mine, other = await harness.organization(), await harness.organization()
    before = len(await rows(harness))

    assert (await appointments(harness, as_(mine, scope="sync"), mine)).status_code == 403
    assert (await appointments(harness, harness.bearer(mine), other)).status_code == 404
    assert (await harness.patch("/api/agents/+4915123456789", {"name": "x"}, mine)).status_code == 404
    assert (await harness.post("/api/agents", {"name": ""}, mine)).status_code == 422
    assert (await harness.http.get("/api/appointments?limit=x", headers=harness.bearer(mine))).status_code == 422
    key = {"Idempotency-Key": "k-1"}
    assert (await harness.post("/api/assistants/sync", {"agentId": "none"}, mine, key)).status_code == 404
    assert (await harness.post("/api/assistants/sync", {"agentId": "none"}, mine, key)).status_code == 404  # kept
    for nobody in ({}, {"Authorization": "Bearer x"}):
        assert (await appointments(harness, nobody, mine)).status_code == 401
        assert (await harness.http.post("/api/vapi/tool-calls", json={}, headers=nobody)).status_code == 401

    refused = (await rows(harness))[before:]
    assert [(row["action"], row["code"]) for row in refused] == [
        ("appointments.list", "TS-903"),
        ("appointments.list", "TS-904"),
        ("agent.change", "TS-904"),
        ("agent.create", "TS-901"),
        ("appointments.list", "TS-901"),
        ("agent.sync", "TS-904"),
    ]
    assert {(row["org_id"], row["result"], row["object_id"]) for row in refused} == {(mine, "refused", None)}
    counted = harness.service.access_counter.counted
    assert counted["appointments.list", "unauthenticated"] == 2
    assert counted["tool_call.receive", "unauthenticated"] == 2
    assert counted["appointments.list", "refused"] == 3


async def test_refusals_of_one_principal_fill_no_disk(harness: Harness) -> None:
    org_id = await harness.organization()
    rows_max = harness.service.settings.access_refused_rows_per_minute
    before = len(await rows(harness))

    for _ in range(rows_max + 5):
        await appointments(harness, as_(org_id, scope=""), org_id)

    assert len(await rows(harness)) - before in (rows_max, rows_max + 5)  # a minute may have begun meanwhile
    counted = harness.service.access_counter.counted
    assert counted["appointments.list", "refused"] == rows_max + 5
    assert (await appointments(harness, harness.bearer(org_id), org_id)).status_code == 200
    assert (await names(harness, org_id))[-1] == ("appointments.list", "done")


async def test_neither_a_read_nor_a_write_is_there_without_its_row(harness: Harness) -> None:
    org_id = await harness.organization("Clinic")
    await harness.agent(org_id, id="a")
    before = await names(harness)
    await harness.owner.execute("ALTER TABLE access_log ADD CONSTRAINT never CHECK (false) NOT VALID")
    try:
        with structlog.testing.capture_logs():
            answers = [
                await appointments(harness, harness.bearer(org_id), org_id),
                await harness.patch(f"/api/organizations/{org_id}", {"name": "Another"}),
                await harness.post("/api/agents", {"name": "B", "id": "b"}, org_id),
                await harness.patch("/api/agents/a", {"name": "C"}, org_id),
                await harness.delete("/api/agents/a", org_id),
                await harness.post("/api/assistants/auto-sync", {}, org_id),
            ]
    finally:
        await harness.owner.execute("ALTER TABLE access_log DROP CONSTRAINT never")

    assert [(answer.status_code, set(answer.json()) & {"items"}) for answer in answers] == [(500, set())] * 6
    assert await names(harness) == before
    assert await harness.owner.fetchval("SELECT name FROM organizations WHERE id = $1", org_id) == "Clinic"
    assert (await harness.row("a"))["name"] == "Reception"
    assert await harness.owner.fetchval("SELECT count(*) FROM agents") == 1
    assert len(await harness.saves("a")) == 1


async def test_a_write_that_is_rolled_back_takes_its_row_along(harness: Harness) -> None:
    org_id = await harness.organization()
    assert (await harness.post("/api/organizations", {"name": "X", "id": str(org_id)})).status_code == 409
    assert await names(harness, org_id) == [("organization.create", "done"), ("organization.create", "refused")]

    await harness.owner.execute("ALTER TABLE saves ADD CONSTRAINT never CHECK (false) NOT VALID")
    try:
        with structlog.testing.capture_logs():
            assert (await harness.post("/api/agents", {"name": "B", "id": "b"}, org_id)).status_code == 500
    finally:
        await harness.owner.execute("ALTER TABLE saves DROP CONSTRAINT never")
    assert (await names(harness, org_id))[-1] == ("agent.create", "failed")


@pytest.mark.parametrize("whose", ["owner", "service"])
async def test_nobody_changes_a_row(assistant_api_db: DatabaseUrls, harness: Harness, whose: str) -> None:
    await harness.organization()
    before = await rows(harness)
    connection = await asyncpg.connect(getattr(assistant_api_db, whose))
    try:
        for statement in (
            "UPDATE access_log SET principal = 'somebody'",
            "UPDATE access_log SET reason = 'x' WHERE false",
            "DELETE FROM access_log",
            "TRUNCATE access_log",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        if whose == "service":
            for column, value in (("at", "'2001-01-01'"), ("db_user", "'x'"), ("id", "1")):
                with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.GeneratedAlwaysError)):
                    await connection.execute(
                        f"INSERT INTO access_log (principal, role, action, result, {column})"  # noqa: S608
                        f" VALUES ('x', 'org', 'agent.sync', 'done', {value})"
                    )
    finally:
        await connection.close()
    assert await rows(harness) == before


async def test_rows_go_after_their_retention_and_the_database_keeps_the_young_ones(harness: Harness) -> None:
    days, now = harness.service.settings.access_keep_days, datetime.now(UTC)
    ages = {"old": days + 1, "kept": days - 1, "of today": 0}
    for principal, age in ages.items():
        await harness.owner.execute(
            "INSERT INTO access_log (at, principal, role, action, result) VALUES ($1, $2, 'org', 'agent.sync', 'done')",
            now - timedelta(days=age),
            principal,
        )

    settings = harness.service.settings
    assert not await Housekeeping(settings, harness.service.database).run_once()
    assert [row["principal"] for row in await rows(harness)] == ["kept", "of today"]

    hasty = settings.model_copy(update={"access_keep_days": 0})  # which settings refuse
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await Housekeeping(hasty, harness.service.database).run_once()
    assert [row["principal"] for row in await rows(harness)] == ["kept", "of today"]


async def test_a_clinic_reads_its_own_rows_and_the_platform_all(harness: Harness) -> None:
    mine, other = await harness.organization(), await harness.organization()
    await appointments(harness, as_(mine, sub="lee"), mine)
    await appointments(harness, as_(other, sub="kim"), other)

    async def page(query: str = "", org_id: UUID | None = None, **claims: Any) -> dict[str, Any]:
        bearer = harness.bearer() if org_id is None else as_(org_id, **claims)
        answer = await harness.http.get(f"/api/access{query}", headers=bearer)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    own = await page("", mine, scope="appointments:read")
    assert [item["action"] for item in own["items"]] == ["appointments.list", "organization.create"]
    assert {item["orgId"] for item in own["items"]} == {str(mine)}
    assert own["nextBefore"] is None
    assert [item["orgId"] for item in (await page("?who=kim"))["items"]] == [str(other)]
    assert (await page("?who=kim", mine))["items"] == []
    assert len((await page(f"?orgId={other}"))["items"]) == 2
    assert (await page("?since=2100-01-01T00:00:00Z"))["items"] == []
    first = await page("?limit=3")
    second = await page(f"?limit=3&before={first['nextBefore']}")
    assert [len(first["items"]), len(second["items"]), second["nextBefore"]] == [3, 1, None]
    assert (await harness.get(f"/api/access?orgId={other}", mine)).status_code == 404
    for wrong in ("?before=0", "?limit=0", "?who=%00", "?who=", "?since=soon", "?since=0001-01-01T00:00:00Z"):
        assert (await harness.get(f"/api/access{wrong}")).status_code == 422

    async with harness.service.database.tenant(mine) as connection:  # whatever the WHERE forgets
        assert [tuple(row) for row in await connection.fetch(TENANTS_ROW)] == [
            ("organization.create", "done"),
            ("appointments.list", "done"),
        ]


async def test_a_dry_run_leaves_its_row_and_nothing_else(harness: Harness) -> None:
    org_id = await harness.organization()
    path, body = "/api/tools/bookClinicAppointment/dry-run", {"organizationId": str(org_id), "arguments": {}}
    assert (await harness.post(path, body)).status_code == 403
    assert (await harness.post(path, body, headers=REASON)).status_code == 200
    assert (await harness.post(path, {**body, "organizationId": str(uuid4())}, headers=REASON)).status_code == 404

    (row,) = [row for row in await rows(harness, org_id) if row["action"] == "tool.try"]
    assert (row["result"], row["object_id"], row["reason"]) == ("done", "bookClinicAppointment", WHY)
    assert [row["result"] for row in await rows(harness) if row["action"] == "tool.try"] == [
        "refused",
        "done",
        "refused",
    ]


async def test_rows_hold_no_content(harness: Harness) -> None:
    org_id = await harness.organization("Canary Clinic")
    await harness.agent(org_id, name="CanaryName", systemPrompt="CanaryPrompt", firstMessage="CanaryHello")
    await harness.post("/api/agents", {"name": "CanaryName" * 9, "id": "+4915112345678"}, org_id)
    assert "Canary" not in json.dumps(await rows(harness), default=str)
    assert "4915112345678" not in json.dumps(await rows(harness), default=str)


async def test_the_command_lists_rows_for_people_and_as_json_lines(
    harness: Harness, assistant_api_db: DatabaseUrls
) -> None:
    mine, other = await harness.organization(), await harness.organization()
    await appointments(harness, as_(mine, sub="lee") | REASON, mine)
    await appointments(harness, as_(other, sub="kim", scope=""), other)

    async def listed(*arguments: str) -> list[str]:
        words = ["access", "list", "--database-url", assistant_api_db.service, *arguments]
        done = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert done.exit_code == 0, done.output
        return done.stdout.splitlines()

    every = [json.loads(line) for line in await listed("--json")]
    assert [row["id"] for row in every] == sorted((row["id"] for row in await rows(harness)), reverse=True)
    assert set(every[0]) == {
        "id", "at", "orgId", "principal", "tokenId", "role", "scopes", "action", "objectType", "objectId", "result",
        "code", "traceId", "reason", "dbUser",
    }  # fmt: skip
    row = await listed("--who", "lee")
    assert "  org:lee  appointments.list  -  done  " in row[0]
    assert " ".join(" ".join(row).split()).endswith(f'"{WHY}"')
    assert too_wide("\n".join(row)) == []
    newest, *_ = await listed("--org", str(other), "--since", "1h")
    assert "  org:kim  appointments.list  -  refused TS-903  " in newest
    assert await listed("--since", "2100-01-01") == []
    words = ["access", "list", "--since", "soon", "--database-url", assistant_api_db.service]
    assert CliRunner().invoke(app, words).exit_code == 2


async def test_an_export_of_many_rows_is_whole(harness: Harness, assistant_api_db: DatabaseUrls) -> None:
    await harness.owner.execute(
        "INSERT INTO access_log (principal, role, action, result)"
        " SELECT 'x', 'org', 'agent.sync', 'done' FROM generate_series(1, $1)",
        PAGE_MAX * 2 + 1,
    )
    words = ["access", "list", "--json", "--who", "x", "--database-url", assistant_api_db.service]
    done = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert len({json.loads(line)["id"] for line in done.stdout.splitlines()}) == PAGE_MAX * 2 + 1


async def test_who_dies_between_the_row_and_the_write_leaves_neither(
    harness: Harness, assistant_api_db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_id = await harness.organization("Clinic")
    before = await names(harness)

    async def never(*_: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr("assistant_api.http.routes.organizations.change_organization", never)
    request = asyncio.create_task(harness.patch(f"/api/organizations/{org_id}", {"name": "Another"}))
    admin = await asyncpg.connect(assistant_api_db.admin)
    between = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
        " AND query LIKE 'INSERT INTO access_log%'"
    )
    pid = await eventually(lambda: admin.fetchval(between), within_seconds=10)
    assert await names(harness) == before  # nobody sees it before the write
    await admin.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    await admin.close()
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)

    assert await harness.owner.fetchval("SELECT name FROM organizations WHERE id = $1", org_id) == "Clinic"
    assert await names(harness) == before
