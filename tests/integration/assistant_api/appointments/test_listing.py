"""A clinic sees its appointments, a page at a time, and says when it is open."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from ..harness import Harness
from ..tool_calls.calling import Caller, booking, cancelling, day


async def _page(harness: Harness, org_id: UUID, query: str = "") -> dict[str, Any]:
    answer = await harness.get(f"/api/appointments{query}", org_id)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def test_an_appointment_is_shown_with_everything_the_clinic_needs(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id, notes="By the back door"), call_id="c1")

    (item,) = (await _page(caller.harness, org_id))["items"]

    for made in ("id", "toolCallId", "createdAt", "updatedAt"):
        assert item.pop(made)
    assert item == {
        "orgId": str(org_id),
        "patientName": "Erika Example",
        "patientPhone": "+4915112345678",
        "patientPhoneE164": "+4915112345678",
        "service": "Check-up",
        "notes": "By the back door",
        "start": f"{day()}T10:00:00.000Z",
        "end": f"{day()}T10:30:00.000Z",
        "status": "booked",
        "callId": "c1",
    }


async def test_a_number_is_shown_as_said_and_as_it_is_known_today(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id, patientPhone="0151 12345678"))

    async def shown() -> tuple[str, str | None]:
        (item,) = (await _page(caller.harness, org_id))["items"]
        return item["patientPhone"].replace(" ", ""), item["patientPhoneE164"]

    assert await shown() == ("015112345678", None)
    await caller.harness.owner.execute("UPDATE organizations SET country = 'DE' WHERE id = $1", org_id)
    assert await shown() == ("015112345678", "+4915112345678")


async def test_pages_follow_each_other_without_gap_or_repeat(caller: Caller, org_id: UUID) -> None:
    for hour in range(8, 15):
        await caller.result(booking(org_id, appointmentTime=f"{hour:02}:00", patientPhone=f"+49151000000{hour:02}"))
    phone = "+4915100000009"
    await caller.result(cancelling(org_id, patientPhone=phone), name="cancelAppointment", customer=phone)
    await caller.result(booking(org_id, appointmentTime="09:00"))

    starts, query = [], "?limit=3"
    while True:
        page = await _page(caller.harness, org_id, query)
        starts += [(item["start"][11:16], item["status"]) for item in page["items"]]
        if page["next"] is None:
            break
        query = f"?limit=3&after={page['next']}"

    assert [start for start, _ in starts] == ["08:00", "09:00", "09:00", *(f"{hour:02}:00" for hour in range(10, 15))]
    assert sorted(status for start, status in starts if start == "09:00") == ["booked", "cancelled"]
    later = await _page(caller.harness, org_id, f"?from={day()}T12:00:00Z")
    assert [item["start"][11:16] for item in later["items"]] == ["12:00", "13:00", "14:00"]


async def test_the_platform_says_whose_appointments_it_wants(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))

    async def asked(query: str) -> httpx.Response:
        headers = caller.harness.bearer() | {"X-Access-Reason": "a test"}
        return await caller.harness.http.get(f"/api/appointments{query}", headers=headers)

    assert (await asked("")).status_code == 422
    assert (await asked(f"?orgId={uuid4()}")).status_code == 404
    assert len((await asked(f"?orgId={org_id}")).json()["items"]) == 1


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "after=x", "after=WyJhIiwgImIiXQ==", "after=e30=", "from=yesterday",
     "from=2027-01-01T00:00:00", "from=9999-12-31T23:59:59-12:00", "from=0001-01-01T00:00:00Z", "orgId=x"],
)  # fmt: skip
async def test_a_wrong_parameter_is_a_problem(harness: Harness, org_id: UUID, query: str) -> None:
    answer = await harness.get(f"/api/appointments?{query}", org_id)

    assert answer.status_code == 422
    assert answer.json()["code"] == "TS-901"


async def test_a_clinic_sets_its_calendar_and_reads_it_again(harness: Harness, org_id: UUID) -> None:
    path = f"/api/organizations/{org_id}/calendar"
    calendar = {
        "timeZone": "America/New_York",
        "country": "CA",
        "slotMinutes": 20,
        "openingHours": {"monday": [["09:00", "12:00"], ["13:00", "24:00"]], "sunday": []},
        "services": ["Cleaning", "Check-up"],
    }

    put = await harness.http.put(path, json=calendar, headers=harness.bearer(org_id))

    assert put.status_code == 200, put.text
    assert put.json() == calendar
    assert (await harness.get(path, org_id)).json() == calendar
    assert (await harness.get(path)).json() == calendar
    cleared = await harness.http.put(path, json={}, headers=harness.bearer())
    assert cleared.json() == {
        "timeZone": "UTC",
        "country": None,
        "slotMinutes": 30,
        "openingHours": None,
        "services": None,
    }
    assert (await harness.get(f"/api/organizations/{uuid4()}/calendar")).status_code == 404
    revision = await harness.owner.fetchval("SELECT revision FROM organizations WHERE id = $1", org_id)
    assert revision == 3, "another time zone is announced, and nothing else of it"


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeZone": "Mars/Olympus"},
        {"timeZone": "localtime"},
        {"timeZone": "right/Europe/Berlin"},
        {"timeZone": "Factory"},
        {"timeZone": "europe/berlin"},
        {"timeZone": "../../etc/passwd"},
        {"timeZone": "Europe"},
        {"timeZone": ""},
        {"timeZone": "UTC\x00"},
        {"country": "de"},
        {"country": "XX"},
        {"country": "DEU"},
        {"country": "001"},
        {"country": ""},
        {"country": 49},
        {"slotMinutes": 0},
        {"slotMinutes": 4},
        {"slotMinutes": 481},
        {"slotMinutes": "soon"},
        {"openingHours": {"someday": []}},
        {"openingHours": {"monday": [["12:00", "09:00"]]}},
        {"openingHours": {"monday": [["09:00", "12:00"], ["11:00", "13:00"]]}},
        {"openingHours": {"monday": [["09:00", "25:00"]]}},
        {"openingHours": {"monday": [["24:00", "24:00"]]}},
        {"openingHours": {"monday": [["09:00"]]}},
        {"openingHours": {"monday": [["00:00", "01:00"]] * 7}},
        {"services": []},
        {"services": ["a", "A"]},
        {"services": ["{{ secret }}"]},
        {"services": ["a\nb"]},
        {"services": [str(number) for number in range(101)]},
        {"unknown": 1},
    ],
    ids=str,
)
async def test_a_calendar_that_cannot_be_is_refused(harness: Harness, org_id: UUID, wrong: dict[str, Any]) -> None:
    answer = await harness.http.put(f"/api/organizations/{org_id}/calendar", json=wrong, headers=harness.bearer(org_id))

    assert answer.status_code == 422
    assert (await harness.get(f"/api/organizations/{org_id}/calendar", org_id)).json()["slotMinutes"] == 30
