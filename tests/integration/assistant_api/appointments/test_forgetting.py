"""Patients are forgotten: after a time by the loop, at once by a command that proves it without naming them."""

import asyncio
import json
import os
import sys
from uuid import UUID, uuid4

from assistant_api.appointments.erase import phone_hash
from devstack.databases import DatabaseUrls

from ..harness import Harness
from ..tool_calls.calling import PHONE, Caller, booking


async def _age(harness: Harness, days: int, tool_call_id: str) -> None:
    await harness.owner.execute(
        "UPDATE appointments SET starts_at = now() - make_interval(days => $1, mins => 30),"
        " ends_at = now() - make_interval(days => $1) WHERE tool_call_id = $2",
        days,
        tool_call_id,
    )


async def test_old_appointments_and_old_calls_are_forgotten_by_the_loop(caller: Caller, org_id: UUID) -> None:
    harness = caller.harness
    for hour in ("08", "09", "10"):
        await caller.result(booking(org_id, appointmentTime=f"{hour}:00"))
    old, kept, _ = [row["tool_call_id"] for row in await caller.appointments()]
    await _age(harness, 366, old)
    await _age(harness, 364, kept)
    await harness.owner.execute(
        "UPDATE tool_calls SET handled_at = now() - interval '31 d' WHERE tool_call_id = $1", old
    )

    more = await harness.service.housekeeping.run_once()

    assert not more
    assert old not in {row["tool_call_id"] for row in await caller.appointments()}
    assert len(await caller.appointments()) == 2
    assert await harness.owner.fetchval("SELECT count(*) FROM tool_calls") == 2


async def _command(urls: DatabaseUrls, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "assistant_api",
        "erase-phone",
        *arguments,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": urls.service},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_erasing_a_phone_number_leaves_a_line_that_only_proves_it(
    caller: Caller, org_id: UUID, assistant_api_db: DatabaseUrls
) -> None:
    other = await caller.harness.organization()
    await caller.result(booking(org_id))
    await caller.result(booking(org_id, appointmentTime="12:00", patientPhone="0049 151 1234 5678"))
    await caller.result(booking(org_id, appointmentTime="13:00", patientPhone="+491709999999"))
    await caller.result(booking(other))

    status, out, err = await _command(assistant_api_db, "-", "--org", str(org_id), stdin="+49 (151) 12345678\n")
    again, out_again, _ = await _command(assistant_api_db, PHONE, "--org", str(org_id))

    assert (status, again) == (0, 0), err
    assert [row["patient_phone"] for row in await caller.appointments(org_id)] == ["+491709999999"]
    assert len(await caller.appointments(other)) == 1
    line = json.loads(out.splitlines()[-1])
    assert (line["event"], line["org_id"], line["appointments"]) == ("patient_erased", str(org_id), 2)
    assert json.loads(out_again.splitlines()[-1])["appointments"] == 0
    assert "12345678" not in out + err + out_again
    _, salt, _ = line["phone_hash"].split(":")
    assert phone_hash("0049151" + "12345678", bytes.fromhex(salt)) == line["phone_hash"]
    assert json.loads(out_again.splitlines()[-1])["phone_hash"] != line["phone_hash"]


async def test_erasing_compares_as_a_call_does(
    caller: Caller, harness: Harness, assistant_api_db: DatabaseUrls
) -> None:
    """Any form, rows of a time before the country was known, and not a number that only looks alike."""
    answer = await harness.post("/api/organizations", {"name": "Clinic"})
    org_id = UUID(answer.json()["id"])
    await caller.result(booking(org_id, patientPhone="0151 12345678"))
    path = f"/api/organizations/{org_id}/calendar"
    await harness.http.put(path, json={"timeZone": "Europe/Berlin"}, headers=harness.bearer(org_id))
    forms = ("+49 (0)151 12345678", "0049 151 12345678", "+49151 1234567", "0151 12345679", "01511 2345678")
    for hour, said in enumerate(forms, start=13):
        await caller.result(booking(org_id, patientPhone=said, appointmentTime=f"{hour}:00"))

    status, out, err = await _command(assistant_api_db, "-", "--org", str(org_id), stdin="0151\u00a01234\u20115678\n")

    assert status == 0, err
    assert json.loads(out.splitlines()[-1])["appointments"] == 4
    assert [row["phone_e164"] for row in await caller.appointments()] == ["+491511234567", "+4915112345679"]


async def test_zeros_erase_nobody(caller: Caller, org_id: UUID, assistant_api_db: DatabaseUrls) -> None:
    await caller.result(booking(org_id, patientPhone="0151 12345678"))

    status, _, err = await _command(assistant_api_db, "00000", "--org", str(org_id))

    assert (status, len(await caller.appointments())) == (2, 1)
    assert err.startswith("assistant-api: nothing was erased: this is no phone number")


async def test_erasing_what_is_no_number_or_of_nobody_says_so(assistant_api_db: DatabaseUrls) -> None:
    for arguments in (("Canary", "--org", str(uuid4())), (PHONE, "--org", str(uuid4()))):
        status, out, err = await _command(assistant_api_db, *arguments)
        assert (status, out) == (2, "")
        assert err.startswith("assistant-api: nothing was erased: ")
        assert arguments[0] not in err
