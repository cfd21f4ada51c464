"""A clinic with its own token: the same page in its words, and nothing of anybody else's."""

import re
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.notices.endpoints import store_endpoint

from ..explain.clinic import TOOL, Clinic
from ..explain.test_bookings import all_is_read, booked
from ..explain.test_coverage import failed, save
from .clinics import Members, call
from .clinics import clinic_ as clinic_
from .clinics import member as member
from .conftest import Browser, said
from .test_clinic import SETTINGS, equipped, kinds, pause


async def test_the_first_page_is_the_clinics(clinic: Clinic, member: Members) -> None:
    await equipped(clinic)
    await call(clinic, "Praxis Adler")
    own = await member()
    answer = await own.get("/")
    assert answer.url.path == f"/console/orgs/{clinic.org_id}"
    said = await own.text("/")
    assert "Praxis Adler" in said
    assert "Your assistant can book since" in said
    assert "booking came to Vapi in version 1" in said


async def test_the_last_booking_is_told_by_the_clinic_s_clock(clinic: Clinic, member: Members) -> None:
    await equipped(clinic)
    own, here = await member(), f"/orgs/{clinic.org_id}"
    assert "No booking is known; at least 0 in 7 days." in await own.text(here)
    await clinic.happened(e.OrgTierChanged("basic", "Pacific/Auckland"))
    await booked(clinic, 3)
    said = await own.text(here)
    assert "at least 3 in 7 days. By your clock, Pacific/Auckland. The newest may not be counted yet." in said
    assert "Kafka" not in said
    await all_is_read(clinic)
    at = datetime.now(ZoneInfo("Pacific/Auckland"))
    for path in (here, f"{here}/assistants", f"{here}/agents/agent-1"):
        said = await own.text(path)
        assert f"Last booking today {at:%H:}" in said
        assert "3 in 7 days. By your clock, Pacific/Auckland." in said
        assert "may not be counted" not in said


async def test_whether_its_webhook_takes_notices(clinic: Clinic, member: Members, operator: Browser) -> None:
    await equipped(clinic)
    own, here = await member(), f"/orgs/{clinic.org_id}"
    assert "Notices: none are sent: no webhook is set." in await own.text(here)
    async with db.transaction(clinic.pool) as connection:
        await store_endpoint(
            connection, clinic.org_id, "https://a.example/secret-path", "sealed", rotate=False, by="org:x"
        )
    assert "Notices: sent to a webhook that works." in await own.text(here)
    await clinic.pool.execute("UPDATE notice_endpoints SET failing_since = now(), last_problem = 'it answered 500'")
    assert "(it answered 500); 0 wait." in await own.text(here)
    await clinic.pool.execute("UPDATE notice_endpoints SET disabled_at = now(), disabled_why = 'gave_up'")
    for reader in (own, operator):
        said = await reader.text(here)
        assert "UTC: nothing was taken for a day; 0 wait for a replay" in said
        assert "secret-path" not in said
    line = f"tool-sync notices set {clinic.org_id} URL --reason TEXT"
    assert line in await operator.text(here)
    assert line not in await own.text(here), "a clinic has no terminal of ours"


NOTICES_URL = "https://93.184.216.34/notices"


async def test_a_clinic_sets_tries_and_ends_its_notices_and_sees_the_secret_once(
    clinic: Clinic, member: Members
) -> None:
    await equipped(clinic)
    own, here = await member(), f"/orgs/{clinic.org_id}"
    at = f"{here}/notices"
    assert "Make a new secret" not in await own.text(here), "there is none yet"
    made = await own.send(at, on=here, url=f" {NOTICES_URL} ")
    (secret,) = re.findall(r"whsec_[A-Za-z0-9+/=]+", made.text)
    assert (made.status_code, made.headers["Cache-Control"]) == (200, "no-store")
    again = await own.send(at, on=here, url=f"{NOTICES_URL}/2")
    assert (again.url.path, "whsec_" in again.text) == (f"/console{here}", False)
    rotated = await own.send(at, on=here, url=NOTICES_URL, rotate="yes")
    assert secret not in rotated.text
    assert "The one before signs them, too, until" in said(rotated.text)

    await own.send(f"{at}/test", on=here)
    assert [row["type"] for row in await clinic.pool.fetch("SELECT type FROM notices")] == ["notice.test"]
    assert "Send again what was not taken" not in await own.text(here), "everything was"
    await clinic.pool.execute(
        "UPDATE notice_endpoints SET failing_since = now(), disabled_at = now(), disabled_why = 'gave_up'"
    )
    assert "Send again what was not taken" in await own.text(here)
    assert "sent to a webhook that works" in said((await own.send(f"{at}/replay", on=here)).text)
    assert "no webhook is set" in said((await own.send(f"{at}/remove", on=here)).text)
    assert (await own.send(f"{at}/test", on=here)).status_code == 404


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "url"),
        ("http://93.184.216.34/", "https"),
        ("https://127.0.0.1/", "loopback"),
        ("https://10.0.0.1/", "private"),
        ("javascript:alert(1)", "https"),
        (f"https://93.184.216.34/{'a' * 300}", "255"),
    ],
)
async def test_notices_go_to_no_address_of_ours(clinic: Clinic, member: Members, url: str, why: str) -> None:
    await equipped(clinic)
    own, here = await member(), f"/orgs/{clinic.org_id}"
    answer = await own.send(f"{here}/notices", on=here, url=url)
    assert (answer.status_code, why in said(answer.text)) == (422, True), said(answer.text)
    assert not await clinic.pool.fetch("SELECT FROM notice_endpoints")


async def test_notices_are_set_by_the_clinic_alone_and_by_whom_it_lets(clinic: Clinic, member: Members) -> None:
    await equipped(clinic)
    other = uuid4()
    await clinic.happened(e.OrgRegistered("basic"), org_id=other)
    here = f"/orgs/{clinic.org_id}"
    reader, own = await member(scope="sync"), await member()
    assert "Send notices to a webhook" not in await reader.text(here)
    assert (await reader.send(f"{here}/notices", on=here, url=NOTICES_URL)).status_code == 403
    assert (await own.send(f"/orgs/{other}/notices", on=here, url=NOTICES_URL)).status_code == 404
    assert (await own.send(f"/orgs/{other}/notices/remove", on=here)).status_code == 404
    forged = await own.client.post(f"/console{here}/notices", data={"url": NOTICES_URL})
    assert forged.status_code == 403
    assert not await clinic.pool.fetch("SELECT FROM notice_endpoints")


async def test_why_it_cannot_book_and_who_does_what(clinic: Clinic, member: Members) -> None:
    await equipped(clinic)
    await clinic.happened(failed("agent-1", "TS-304"), save("agent-2"), failed("agent-2", "TS-301"))
    await call(clinic, "Anna", "agent-1")
    said = await (await member()).text("/")
    assert "Anna cannot book since" in said
    assert "Choose a model for the assistant and save it." in said
    assert "agent-2 cannot book since" in said
    assert "We look after it." in said
    assert "Correct the tool's file" not in said, "that is for the developers"


async def test_nothing_of_the_platform_is_on_a_page_of_a_clinics(clinic: Clinic, member: Members) -> None:
    await equipped(clinic)
    other = uuid4()
    await clinic.happened(e.OrgRegistered("basic"), save("agent-1"), org_id=other)
    await call(clinic, "Praxis Geheim", org_id=other)
    await pause(clinic)
    own = await member()
    for path in (f"/orgs/{clinic.org_id}", f"/orgs/{clinic.org_id}/agents/agent-1"):
        page = (await own.get(path)).text
        for secret in ("the-key", "platform", "rollout", "tool-sync coverage", "Geheim", str(other), "/failures"):
            assert secret not in page.replace("tool-sync 0", ""), f"{secret} on {path}"
    assert (await own.get(f"/orgs/{other}/agents/agent-1")).status_code == 404
    assert (await own.get(f"/orgs/{other}")).status_code == 404


async def test_a_clinic_switches_its_tool_off_and_on(clinic: Clinic, member: Members) -> None:
    await equipped(clinic)
    own, here = await member(), f"/orgs/{clinic.org_id}"
    answer = await own.send(f"{here}{SETTINGS}", on=here, to="off", seen="0", reason="double bookings")
    assert (answer.status_code, answer.url.path) == (200, f"/console{here}")
    (stored,) = await kinds(clinic)
    assert (stored[1].split(":")[0], stored[2]) == ("org", "double bookings")
    said = await own.text(here)
    assert "Your assistant cannot book since" in said
    assert "booking was switched off by the clinic (" in said
    assert "booking : off; switched off by the clinic" in said
    seen = (await own.get(here)).text.split('name="seen" value="')[1].split('"')[0]
    await own.send(f"{here}{SETTINGS}", on=here, to="on", seen=seen, reason="we have talked")
    assert "booking : on" in await own.text(here)


@pytest.mark.parametrize(("scope", "may"), [("sync", False), ("settings:write", True), ("sync settings:write", True)])
async def test_without_the_scope_there_is_no_form(clinic: Clinic, member: Members, scope: str, may: bool) -> None:
    await equipped(clinic)
    own, here = await member(scope=scope), f"/orgs/{clinic.org_id}"
    assert ("Switch booking off" in await own.text(here)) is may
    answer = await own.send(f"{here}{SETTINGS}", on=here, to="off", seen="0", reason="why")
    assert answer.status_code == (200 if may else 403)
    assert bool(await kinds(clinic)) is may


async def test_a_clinic_cannot_set_anything_of_another(clinic: Clinic, member: Members) -> None:
    await equipped(clinic)
    other = uuid4()
    await clinic.happened(e.OrgRegistered("basic"), org_id=other)
    stranger = await member(other)
    here = f"/orgs/{clinic.org_id}{SETTINGS}"
    answer = await stranger.send(here, on=f"/orgs/{other}", to="off", seen="0", reason="why")
    assert answer.status_code == 404
    assert await kinds(clinic) == []


async def test_nobody_and_who_may_only_read_patients_see_nothing(
    clinic: Clinic, make_browser: Callable[[], Browser], signer: Signer
) -> None:
    await equipped(clinic)
    nobody = make_browser()
    assert (await nobody.get(f"/orgs/{clinic.org_id}")).url.path == "/console/login"
    await nobody.sign_in(signer.org_token(str(clinic.org_id), scope="appointments:read"))
    assert (await nobody.get(f"/orgs/{clinic.org_id}")).status_code == 403


async def test_a_clinic_without_anything_and_one_that_was_deleted(clinic: Clinic, member: Members) -> None:
    await clinic.happened(e.OrgRegistered("basic"))
    own = await member()
    assert "You have no assistant yet" in await own.text("/")
    await clinic.happened(e.OrgClosed())
    said = await own.text("/")
    assert "This clinic was deleted" in said
    assert TOOL not in said


async def test_a_clinic_that_nobody_has_heard_of_yet(member: Members) -> None:
    own = await member()
    assert "nothing is known of it" in await own.text("/", 404)
