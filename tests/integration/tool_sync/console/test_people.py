"""People of a clinic who sign in with an account from elsewhere: what they see, may do, and are called in the log."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from tests.support.providers import AnyProvider, Desk, any_provider, desk_of, entered, goes_on_to, serving

from tool_sync import db
from tool_sync.http.state import HttpState
from tool_sync.log import EventLog
from tool_sync.settings import Settings
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health

from ..explain.clinic import Clinic
from .clinics import clinic_ as clinic_
from .test_clinic import SETTINGS, equipped, kinds


@pytest.fixture
async def desk(settings: Settings, pool: db.Pool, event_log: EventLog) -> AsyncIterator[Desk]:
    state = HttpState(TokenVerifier(settings), Health(check_seconds_max=0.2, starting=None), pool, log=event_log)
    async with serving(any_provider()) as provider, desk_of(state, provider) as desk:
        yield desk


async def test_a_clinics_owner_sees_the_own_clinic_and_the_log_has_their_name(desk: Desk, clinic: Clinic) -> None:
    await equipped(clinic)
    browser, here = desk.browser(), f"/orgs/{clinic.org_id}"
    assert goes_on_to(await entered(browser, "ada", org_id=str(clinic.org_id))) == "/console/"
    assert (await browser.get("/")).url.path == f"/console{here}"
    assert (await browser.get("/lights")).status_code == 403
    assert (await browser.get(f"/orgs/{uuid4()}")).status_code == 404
    answer = await browser.send(f"{here}{SETTINGS}", on=here, to="off", seen="0", reason="double bookings")
    assert answer.status_code == 200
    assert (await kinds(clinic))[0][1:3] == ("org:Ada Adler (u-1002)", "double bookings")
    assert "Ada Adler (u-1002)" in await browser.text(here)


async def test_scopes_are_those_of_the_settings(desk: Desk, clinic: Clinic) -> None:
    await equipped(clinic)

    def of_staff(provider: AnyProvider, claims: dict[str, Any]) -> str:
        return provider.plain({**claims, "groups": ["clinic-staff"]})

    desk.provider.spoil = of_staff
    browser, here = desk.browser(), f"/orgs/{clinic.org_id}"
    await entered(browser, "ada", org_id=str(clinic.org_id))
    assert "Switch booking off" not in await browser.text(here)
    answer = await browser.send(f"{here}{SETTINGS}", on=here, to="off", seen="0", reason="why")
    assert (answer.status_code, await kinds(clinic)) == (403, [])
