"""Appointments of older releases get the number that they have: a step of `assistant-api migrate`."""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from assistant_api.appointments.known import fill_in_numbers
from devstack.databases import DatabaseUrls

from ..harness import Harness
from ..tool_calls.calling import Caller, cancelling, day

ROWS: Final = {  # what an older release stored, and what it is at a clinic in Germany
    "+4915112345678": "+4915112345678",
    "+49015112345678": "+4915112345678",
    "004915112345678": "+4915112345678",
    "015112345678": "+4915112345678",
    "0000000000": None,
    "0301234567": "+49301234567",
}


async def _migrate(urls: DatabaseUrls) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "assistant_api", "migrate",
        env={"PATH": os.environ["PATH"], "MIGRATE_DATABASE_URL": urls.owner},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def _old_rows(harness: Harness, org_id: UUID, phones: list[str], *, ahead: int = 7) -> None:
    first = datetime.fromisoformat(f"{day(ahead)}T00:00:00+00:00").astimezone(UTC)
    await harness.owner.executemany(
        "INSERT INTO appointments (org_id, id, calendar, patient_name, patient_phone, service, starts_at, ends_at,"
        " call_id, tool_call_id) SELECT id, $2, calendar, 'P', $3, 's', $4::timestamptz,"
        " $4::timestamptz + interval '1 m', 'c', 't'"
        " FROM organizations WHERE id = $1",
        [(org_id, uuid4(), phone, first + timedelta(minutes=place)) for place, phone in enumerate(phones)],
    )


async def _known(harness: Harness, org_id: UUID) -> list[tuple[str, str | None]]:
    rows = await harness.owner.fetch(
        "SELECT patient_phone, phone_e164 FROM appointments WHERE org_id = $1 ORDER BY starts_at", org_id
    )
    return [(row["patient_phone"], row["phone_e164"]) for row in rows]


async def test_migrate_fills_in_the_numbers_and_says_so(harness: Harness, assistant_api_db: DatabaseUrls) -> None:
    in_germany = await harness.post("/api/organizations", {"name": "Clinic", "timeZone": "Europe/Berlin"})
    org_id, nowhere = UUID(in_germany.json()["id"]), await harness.organization()
    await _old_rows(harness, org_id, list(ROWS))
    await _old_rows(harness, nowhere, list(ROWS))
    before = await harness.owner.fetch("SELECT id, updated_at FROM appointments ORDER BY id")

    first, second = await _migrate(assistant_api_db), await _migrate(assistant_api_db)

    assert "Phone numbers read: 8" in first
    assert "Phone numbers read" not in second
    assert await _known(harness, org_id) == list(ROWS.items())
    assert dict(await _known(harness, nowhere)) == {**ROWS, "015112345678": None, "0301234567": None}
    assert await harness.owner.fetch("SELECT id, updated_at FROM appointments ORDER BY id") == before

    await harness.owner.execute("UPDATE organizations SET country = 'AT' WHERE id = $1", nowhere)
    assert "Phone numbers read: 2" in await _migrate(assistant_api_db)
    assert dict(await _known(harness, nowhere))["015112345678"] == "+4315112345678"
    assert await _known(harness, org_id) == list(ROWS.items())


async def test_it_goes_on_where_it_was_stopped(harness: Harness) -> None:
    org_id = UUID((await harness.post("/api/organizations", {"name": "Clinic", "country": "DE"})).json()["id"])
    phones = [f"0151{number:08}" if number % 5 else "0000000000" for number in range(1, 101)]
    await _old_rows(harness, org_id, phones)
    async with harness.owner.transaction():  # half of them are done already
        await harness.owner.execute(
            "UPDATE appointments SET phone_e164 = '+49' || substr(patient_phone, 2)"
            " WHERE patient_phone <> '0000000000' AND starts_at < $1",
            datetime.fromisoformat(f"{day()}T00:50:00+00:00"),
        )

    filled = await fill_in_numbers(harness.owner, batch_rows=7)

    assert filled == 40
    known = await _known(harness, org_id)
    assert len(known) == 100
    assert all(e164 == (f"+49{said[1:]}" if said != "0000000000" else None) for said, e164 in known)
    assert await fill_in_numbers(harness.owner, batch_rows=7) == 0


async def test_an_old_row_is_cancelled_before_and_after_it_is_filled_in(
    caller: Caller, harness: Harness, assistant_api_db: DatabaseUrls
) -> None:
    org_id = UUID((await harness.post("/api/organizations", {"name": "Clinic", "country": "DE"})).json()["id"])
    await _old_rows(harness, org_id, ["+49015112345678"])
    await _old_rows(harness, org_id, ["015112345678"], ahead=8)

    before = await caller.result(cancelling(org_id), name="cancelAppointment")
    await _migrate(assistant_api_db)
    after = await caller.result(cancelling(org_id, appointmentDate=day(8)), name="cancelAppointment")

    assert [text.split(":")[0] for text in (before, after)] == ["Cancelled", "Cancelled"]
