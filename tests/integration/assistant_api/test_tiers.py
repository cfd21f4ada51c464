"""`PATCH /api/organizations/{id}`, and the closed list of tiers: the same for every way in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

import assistant_api

from .harness import Harness

MIGRATION = Path(assistant_api.__file__).parent / "migrations" / "20261201000150_tiers.sql"


async def _said(harness: Harness, org_id: UUID) -> list[Mapping[str, Any]]:
    saved = [message["body"] for message in await harness.outbox("OrganizationSaved")]
    return [{k: v for k, v in body.items() if k != "org_id"} for body in saved if body["org_id"] == str(org_id)]


async def test_another_tier_and_another_name_are_stored_and_announced_once_each(harness: Harness) -> None:
    org_id = await harness.organization("Tooth & Co")
    path = f"/api/organizations/{org_id}"

    tier = await harness.patch(path, {"tier": "enterprise"})
    name = await harness.patch(path, {"name": "Tooth"})
    both = await harness.patch(path, {"name": "Tooth & Co", "tier": "professional"})

    assert [answer.status_code for answer in (tier, name, both)] == [200, 200, 200]
    assert (tier.json()["name"], tier.json()["tier"], tier.json()["revision"]) == ("Tooth & Co", "enterprise", 2)
    assert (name.json()["name"], name.json()["tier"], name.json()["revision"]) == ("Tooth", "enterprise", 3)
    assert tier.json()["calendar"]["slotMinutes"] == 30
    assert await _said(harness, org_id) == [
        {"revision": 1, "name": str(org_id), "tier": "basic", "time_zone": "UTC"},
        {"revision": 2, "name": str(org_id), "tier": "enterprise", "time_zone": "UTC"},
        {"revision": 3, "name": str(org_id), "tier": "enterprise", "time_zone": "UTC"},
        {"revision": 4, "name": str(org_id), "tier": "professional", "time_zone": "UTC"},
    ]


async def test_what_is_so_already_is_not_written_again(harness: Harness) -> None:
    org_id = await harness.organization("Clinic")
    of_row = "SELECT xmin::text, updated_at FROM organizations WHERE id = $1"
    before = await harness.owner.fetchrow(of_row, org_id)

    answer = await harness.patch(f"/api/organizations/{org_id}", {"name": "Clinic", "tier": "basic"})

    assert (answer.status_code, answer.json()["revision"]) == (200, 1)
    assert await harness.owner.fetchrow(of_row, org_id) == before
    assert len(await _said(harness, org_id)) == 1


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"tier": "Profesional"}, "did you mean professional?"),
        ({"tier": "ENTERPRISE"}, "did you mean enterprise?"),
        ({"tier": "zzz"}, "must be basic, professional or enterprise"),
        ({"tier": None}, "valid string"),
        ({"name": None}, "valid string"),
        ({"name": ""}, "at least 1 character"),
        ({}, "name, tier or timeZone"),
        ({"timeZone": "Europe/Berln"}, "did you mean Europe/Berlin?"),
        ({"timeZone": "europe/berlin"}, "did you mean Europe/Berlin?"),
        ({"timeZone": "Kathmandu"}, "did you mean Asia/Kathmandu?"),
        ({"timeZone": "localtime"}, "must be a name of the IANA time zone database"),
        ({"timeZone": None}, "valid string"),
        ({"slotMinutes": 5}, "not permitted"),
    ],
)
async def test_a_change_that_is_none_is_refused_with_its_reason(
    harness: Harness, body: dict[str, Any], problem: str
) -> None:
    org_id = await harness.organization()

    answer = await harness.patch(f"/api/organizations/{org_id}", body)

    assert (answer.status_code, answer.json()["code"]) == (422, "TS-901")
    assert problem in answer.json()["errors"][0]["problem"]
    assert len(await _said(harness, org_id)) == 1


async def test_only_the_platform_changes_a_clinic_and_only_one_that_is_there(harness: Harness) -> None:
    org_id = await harness.organization()
    path, body = f"/api/organizations/{org_id}", {"tier": "enterprise"}

    assert (await harness.patch(path, body, org_id)).status_code == 403
    assert (await harness.patch(f"/api/organizations/{uuid4()}", body)).status_code == 404
    await harness.delete(path)
    assert (await harness.patch(path, body)).status_code == 404


async def test_the_kept_answer_of_a_change_is_given_again(harness: Harness) -> None:
    org_id = await harness.organization()
    headers = harness.bearer() | {"idempotency-key": "tier-1"}
    path = f"/api/organizations/{org_id}"

    first = await harness.http.patch(path, json={"tier": "enterprise"}, headers=headers)
    await harness.patch(path, {"tier": "basic"})
    again = await harness.http.patch(path, json={"tier": "enterprise"}, headers=headers)

    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    assert [body["tier"] for body in await _said(harness, org_id)] == ["basic", "enterprise", "basic"]


async def test_a_new_clinic_and_plain_sql_have_the_same_list(harness: Harness) -> None:
    answer = await harness.post("/api/organizations", {"name": "A", "tier": "professionell"})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "field": "tier",
            "problem": "Value error, must be basic, professional or enterprise; did you mean professional?",
        }
    ]
    org_id = await harness.organization()
    for statement in (
        "UPDATE organizations SET tier = 'pro' WHERE id = $1",
        "INSERT INTO organizations (id, name, tier) VALUES (gen_random_uuid(), $1::uuid::text, 'pro')",
    ):
        with pytest.raises(asyncpg.CheckViolationError, match="organizations_tier"):
            await harness.owner.execute(statement, org_id)


async def test_a_tier_from_before_the_list_becomes_the_lowest_and_is_announced(harness: Harness) -> None:
    former, known = await harness.organization("Former"), await harness.organization("Known")
    await harness.patch(f"/api/organizations/{known}", {"tier": "enterprise"})
    await harness.owner.execute(
        "ALTER TABLE organizations DROP CONSTRAINT organizations_tier,"
        " ADD CONSTRAINT organizations_tier_check CHECK (tier ~ '^[a-z][a-z0-9-]*$')"
    )
    await harness.owner.execute("UPDATE organizations SET tier = 'pro' WHERE id = $1", former)

    up, _, _ = MIGRATION.read_text(encoding="utf-8").partition("-- migrate:down")
    await harness.owner.execute(up)

    assert [body["tier"] for body in await _said(harness, former)] == ["basic", "pro", "basic"]
    assert [body["tier"] for body in await _said(harness, known)] == ["basic", "enterprise"]
    with pytest.raises(asyncpg.CheckViolationError):
        await harness.owner.execute("UPDATE organizations SET tier = 'pro'")


async def test_the_time_zone_is_announced_when_a_clinic_is_made_and_when_it_changes(
    harness: Harness,
) -> None:
    made = (await harness.post("/api/organizations", {"name": "A", "timeZone": "Europe/Berlin"})).json()
    path = f"/api/organizations/{made['id']}"
    changed = await harness.patch(path, {"timeZone": "Asia/Kathmandu"})
    await harness.patch(path, {"timeZone": "Asia/Kathmandu"})
    await harness.owner.execute("UPDATE organizations SET time_zone = 'UTC' WHERE id = $1", UUID(made["id"]))

    assert made["revision"] == 1
    assert (changed.json()["revision"], changed.json()["calendar"]["timeZone"]) == (2, "Asia/Kathmandu")
    said = await _said(harness, UUID(made["id"]))
    assert [(one["revision"], one["time_zone"]) for one in said] == [
        (1, "Europe/Berlin"), (2, "Asia/Kathmandu"), (3, "UTC"),
    ]  # fmt: skip
