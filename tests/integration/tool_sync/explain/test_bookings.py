"""How many a clinic has booked, in each place where it is asked: the command line, HTTP, and by whom."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from devstack.databases import DatabaseUrls
from tool_sync.intake.call_counts import CountedCall, count_calls, note_read

from ..command import command, envelope, result
from .clinic import TOOL, Clinic
from .test_coverage import equipped


async def booked(clinic: Clinic, count: int = 1, code: str = "booked", *, org_id: UUID | None = None) -> None:
    """So many calls of the clinic's first assistant, just now."""
    at, org_id = datetime.now(UTC), org_id or clinic.org_id
    calls = [CountedCall(uuid4(), at, org_id, code, "assistant-agent-1", TOOL) for _ in range(count)]
    await count_calls(clinic.pool, calls)


async def all_is_read(clinic: Clinic) -> None:
    """Every call of the last days is counted, as far as is known."""
    await note_read(clinic.pool, "tool-calls.v1", lambda: 0.0)
    await clinic.pool.execute("UPDATE tool_calls_read SET counted_since = now() - interval '9 days'")


async def test_the_command_line_says_how_many_and_what_is_not_counted(
    clinic: Clinic, tool_sync_db: DatabaseUrls
) -> None:
    url, org_id = tool_sync_db.service, str(clinic.org_id)
    await equipped(clinic)
    await booked(clinic, 12)
    await booked(clinic, 3, "taken")
    _, text, _ = await command("coverage", org_id, database_url=url)
    assert "bookings of 7 days: at least 12 (last today " in text
    assert "not counted: no call has ever been read" in text
    await all_is_read(clinic)
    _, text, _ = await command("coverage", org_id, database_url=url)
    assert "bookings of 7 days: 12 (last today " in text
    assert "not counted: calls that assistant-api has answered and not published yet" in text
    code, text, _ = await command("coverage", org_id, "--json", database_url=url)
    calls = result(text)["calls"]
    assert (code, calls["bookings"], calls["missing"], envelope(text)["command"]) == (0, 12, [], "coverage")
    _, text, _ = await command("coverage", "--json", database_url=url)
    assert result(text)["calls"] is None


async def test_http_tells_a_clinic_its_own_counts_and_nobody_else_s(clinic: Clinic) -> None:
    await equipped(clinic)
    await all_is_read(clinic)
    await booked(clinic, 2)
    await booked(clinic, 1, "taken")
    await booked(clinic, 7, org_id=uuid4())
    path = f"/v1/orgs/{clinic.org_id}/calls"
    own = clinic.signer.org_token(str(clinic.org_id))
    body = (await clinic.ask(path, token=own)).raise_for_status().json()
    assert (body["bookings"], body["missing"], body["time_zone"]) == (2, [], "UTC")
    found = [(one["tool"], one["code"], one["calls"]) for one in body["counts"]]
    assert found == [(TOOL, "booked", 2), (TOOL, "taken", 1)]
    assert body["since"] == str(datetime.fromisoformat(body["at"]).date() - timedelta(days=6))
    assert (await clinic.ask(path, assistant_id="assistant-agent-1")).json()["bookings"] == 2
    assert (await clinic.ask(path, assistant_id="another")).json()["bookings"] == 0
    assert (await clinic.ask(path, days="93")).status_code == 422
    assert (await clinic.ask(path, token=clinic.signer.org_token(str(uuid4())))).status_code == 404
    assert (await clinic.ask(f"/v1/orgs/{uuid4()}/calls")).status_code == 404
