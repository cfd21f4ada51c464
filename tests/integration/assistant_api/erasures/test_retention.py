"""Every table says whether it holds data of persons, and for how long: a new table cannot be forgotten."""

import re
from pathlib import Path
from uuid import uuid4

import pytest

from assistant_api.settings import Settings

from ..harness import Harness
from ..tool_calls.calling import Caller, booking

SECURITY = (Path(__file__).parents[4] / "docs" / "security.md").read_text(encoding="utf-8")

KEPT_BY = {
    "appointments": "appointment_retention_days",
    "appointment_calls": "appointment_retention_days",
    "tool_calls": "tool_calls_keep_days",
    "missed_claims": "tool_calls_keep_days",
    "erasures": "erasures_keep_days",
    "erased_calls": "erasures_keep_days",
    "access_log": "access_keep_days",
    "idempotency_keys": "idempotency_keep_hours",
}
"""Tables with data of persons, patients or staff, and the setting that ends it."""
BY_ITSELF = {"revoked_tokens", "vapi_accounts"}
"""Logins of operators, until the token's own end, which no setting moves; `test_revoked_tokens.py`. Who stored a
clinic's key, until the clinic's account goes; `test_vapi_accounts.py`."""
OF_NOBODY = {
    "agents", "auto_syncs", "followed_logs", "former_revisions", "installation", "key_minutes", "known_tools",
    "lost_assistants", "lost_records", "name_checks", "organizations", "outbox", "outcomes", "published_tools",
    "removals", "saves", "schema_migrations", "topic_looks", "unanswered_creations", "vapi_keys",
}  # fmt: skip
"""Ids, a clinic's name and its prompts, and what Vapi and Kafka are; nobody's who calls or works there."""


async def test_every_table_is_either_of_nobody_or_has_a_retention(harness: Harness) -> None:
    rows = await harness.owner.fetch(
        "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = 'public'"
    )
    tables = {row["table_name"] for row in rows}
    assert tables == OF_NOBODY | BY_ITSELF | KEPT_BY.keys(), (
        "say of a new table whose data it holds, here and in docs/security.md"
    )


def test_each_retention_is_a_setting_with_the_default_that_the_security_page_names() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \|.*\| `([A-Z_]+)` \| ([\d,]+) (days|hours) \|$", SECURITY, re.MULTILINE)
    named = {table: (setting.lower(), int(number.replace(",", "")), unit) for table, setting, number, unit in rows}
    assert {table: setting for table, (setting, _, _) in named.items()} == KEPT_BY
    for setting, number, unit in named.values():
        assert setting.endswith(f"_{unit}")
        assert Settings.model_fields[setting].default == number


_AGE = {
    "appointments": "UPDATE appointments SET starts_at = now() - make_interval(secs => $1, mins => 30),"
    " ends_at = now() - make_interval(secs => $1)",
    "tool_calls": "UPDATE tool_calls SET handled_at = now() - make_interval(secs => $1)",
    "missed_claims": "UPDATE missed_claims SET missed_at = now() - make_interval(secs => $1)",
    "erasures": "UPDATE erasures SET erased_at = now() - make_interval(secs => $1)",
    "access_log": "UPDATE access_log SET at = now() - make_interval(secs => $1)",
    "idempotency_keys": "UPDATE idempotency_keys SET created_at = now() - make_interval(secs => $1)",
}
_GOES_ALONG = {"appointment_calls": "appointments", "erased_calls": "erasures"}


@pytest.mark.parametrize("table", KEPT_BY)
async def test_what_is_older_goes_and_what_is_younger_stays(caller: Caller, table: str) -> None:
    harness, org_id = caller.harness, await caller.harness.organization()
    await caller.result(booking(org_id), call_id=str(uuid4()))
    await harness.post("/api/erasures", {"phone": "+4915199999999"}, org_id, {"Idempotency-Key": "k"})
    await harness.owner.execute("INSERT INTO missed_claims (org_id, scope) VALUES ($1, 'x')", org_id)
    await harness.owner.execute(
        "INSERT INTO erased_calls (erasure_id, org_id, call_id, state) SELECT id, org_id, 'x', 'kept' FROM erasures"
    )
    await harness.owner.execute("ALTER TABLE access_log DISABLE TRIGGER USER")
    unit = 3600 if KEPT_BY[table].endswith("_hours") else 86_400
    keep_seconds = unit * getattr(harness.service.settings, KEPT_BY[table])
    aged = _AGE[_GOES_ALONG.get(table, table)]
    count = f"SELECT count(*) FROM {table}"  # noqa: S608

    await harness.owner.execute(aged, float(keep_seconds - 60))
    await harness.service.housekeeping.run_once()
    assert await harness.owner.fetchval(count) > 0
    await harness.owner.execute(aged, float(keep_seconds + 60))
    await harness.service.housekeeping.run_once()
    assert await harness.owner.fetchval(count) == 0


async def test_a_receipt_stays_while_vapi_still_has_to_delete(caller: Caller) -> None:
    harness, org_id = caller.harness, await caller.harness.organization()
    await harness.post("/api/erasures", {"phone": "+4915199999999"}, org_id)
    await harness.owner.execute(
        "INSERT INTO erased_calls (erasure_id, org_id, call_id, state)"
        " SELECT id, org_id, 'x', 'to_delete' FROM erasures"
    )
    await harness.owner.execute("UPDATE erasures SET erased_at = now() - interval '10 years'")

    await harness.service.housekeeping.run_once()
    assert await harness.owner.fetchval("SELECT count(*) FROM erasures") == 1
    await harness.owner.execute("UPDATE erased_calls SET state = 'deleted'")
    await harness.service.housekeeping.run_once()
    assert await harness.owner.fetchval("SELECT count(*) FROM erasures") == 0
