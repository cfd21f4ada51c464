"""What the pages *System* and *Log* say in each state, and what is done from there."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import httpx
import pytest
from tests.support.over_httpx import OverHttpx

from devstack.databases import DatabaseUrls
from devstack.tokens import Signer
from tool_sync import db
from tool_sync.app.front import sandbox_of
from tool_sync.console.app import mounted
from tool_sync.console.process import Parts, Process, Reader
from tool_sync.console.sandbox_dials import NoSandbox, SandboxDials
from tool_sync.console.session import Sealer
from tool_sync.http.app import build
from tool_sync.http.state import HttpState, Installed
from tool_sync.log import EventLog
from tool_sync.outcomes.published import OUTCOMES
from tool_sync.settings import Settings
from vapi_sandbox import DEFAULT_KEY, SandboxSettings, create_app
from zerotouch_platform import telemetry
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health
from zerotouch_platform.meters import Meters
from zerotouch_platform.settings import settings_shown
from zerotouch_platform.siblings import Siblings

from ..event_log.making import arrived
from .conftest import KEY, Browser, said

CANARY = "c4nary"
LETTER = """
INSERT INTO dead_letters (topic, partition, "offset", key, headers, value, reason)
VALUES ('t', 0, $1, NULL, '[]', 'x', $2) RETURNING id
"""
LOSS = """
INSERT INTO lost_records (topic, partition, first_offset, end_offset, cause) VALUES ('t', 3, 1, 2, 'gone') RETURNING id
"""
Admin: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Machine:
    """A process with its sandbox, and who looks at it."""

    def __init__(self, browser: Browser, state: HttpState, process: Process, vapi: httpx.AsyncClient) -> None:
        self.browser, self.state, self.process, self.vapi = browser, state, process, vapi


@pytest.fixture
async def machine(settings: Settings, pool: db.Pool, event_log: EventLog, signer: Signer) -> AsyncIterator[Machine]:
    """The platform is signed in at the console of a process that works."""
    transport = httpx.ASGITransport(create_app(SandboxSettings()))
    state = HttpState(TokenVerifier(settings), Health(check_seconds_max=0.2, starting=None), pool, log=event_log)
    state.installed = Installed("https://hooks.example/tools", calls_per_minute=720)
    parts = Parts(
        leads=lambda: {"outcomes": True}, readers=lambda: (Reader("assistants.v1", 3.0, None),), signs=lambda: None
    )
    process = Process(
        settings_shown(settings),
        Siblings(None, state.health, Meters({"service.name": "tool-sync"})).workers,
        SandboxDials("http://127.0.0.1:3003", OverHttpx(transport)),
        parts,
    )
    app = mounted(build(state, telemetry.off()), state, Sealer(KEY, is_secure=False), process)
    headers = {"authorization": f"Bearer {DEFAULT_KEY}"}
    async with (
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://tool-sync"
        ) as client,
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3003", headers=headers) as vapi,
    ):
        browser = Browser(client)
        assert (await browser.sign_in(signer.platform_token())).status_code == 200
        yield Machine(browser, state, process, vapi)


async def test_a_process_that_works_says_so_and_what_it_knows(machine: Machine) -> None:
    page = await machine.browser.text("/system")
    for words in (
        "It is ready",
        "Works. No request of this minute is taken; there are 720.",
        "assistants.v1: its group had read everything 3 s ago",
        "publishes outcomes nobody now",
        "None is open.",
        "not known: nobody has looked yet",
        "Python 3.",
        "It answers as Vapi does.",
    ):
        assert words in page, page


async def test_what_is_wrong_is_told_with_what_is_to_be_known_beside_it(machine: Machine) -> None:
    async def wrong() -> str:
        return "<script>the broker is away"

    async def note() -> object:
        return [{"problem": "late", "meaning": "looked at yesterday"}]

    machine.state.health.ready["kafka"], machine.state.health.notes["looks_late"] = wrong, note
    page = await machine.browser.get("/system")
    assert "kafka : <script>the broker is away" in said(page.text).replace("kafka:", "kafka :")
    assert "<script>the" not in page.text
    assert "problem: late; meaning: looked at yesterday" in said(page.text)


async def test_a_process_that_starts_knows_little_and_says_so(operator: Browser) -> None:
    page = await operator.text("/system")
    assert page.count("Not known here.") == 2  # workers and settings
    assert "What this process reads is not known: it is starting." in page
    assert "sandbox" not in page


async def test_who_leads_is_told_from_the_locks(machine: Machine, tool_sync_db: DatabaseUrls) -> None:
    leader = await asyncpg.connect(tool_sync_db.service)
    await leader.execute("SELECT pg_advisory_lock($1)", OUTCOMES.lock_key)
    try:
        assert "publishes outcomes this process, connected since" in await machine.browser.text("/system")
        machine.process.parts = None
        page = await machine.browser.text("/system")
        assert "publishes outcomes a process at 127.0.0.1, connected since" in page
        assert "publishes fleet nobody now" in page
    finally:
        await leader.close()


async def test_a_paused_key_and_the_minute_of_its_rate(machine: Machine, admin: Admin) -> None:
    await admin.execute(
        """INSERT INTO vapi_keys (key, paused_until, half_open, openings, paused_since, pause_reason, pause_code,
                                  opened_at)
           VALUES ('abc', now() + interval '1 hour', true, 0, now(), 'refused', 'TS-301', now())"""
    )
    await admin.execute(
        """INSERT INTO key_minutes (key, minute, used, granted)
           SELECT 'abc', floor(extract(epoch FROM now()) / 60)::bigint + n, 41, 1 FROM generate_series(0, 1) n"""
    )
    page = await machine.browser.text("/system")
    assert "Paused until" in page
    assert "TS-301 since" in page
    assert "41 of 720 requests of this minute are taken" in page


async def test_letters_and_losses_are_closed_with_a_reason_by_who_is_signed_in(machine: Machine, admin: Admin) -> None:
    hostile = "<script>alert(1)</script>" + "x" * 10_000
    letter, loss = await admin.fetchval(LETTER, 1, hostile), await admin.fetchval(LOSS)
    page = await machine.browser.get("/system")
    assert "t partition 0 offset 1" in said(page.text)
    assert "<script>alert" not in page.text
    assert len(page.text) < 60_000
    for path in (f"/system/letters/{letter}/acknowledge", f"/system/losses/{loss}/acknowledge"):
        refused = await machine.browser.send(path, on="/system", reason="a@b.example")
        assert (refused.status_code, "Nothing was done: reason:" in said(refused.text)) == (422, True)
        assert (await machine.browser.client.post(f"/console{path}", data={"reason": "r"})).status_code == 403
        assert (await machine.browser.send(path, on="/system", reason="saved again")).status_code == 200
        again = await machine.browser.send(path, on="/system", reason="saved again")
        assert (again.status_code, "somebody has closed it" in said(again.text)) == (409, True)
    done = await admin.fetch("SELECT principal, action, object_id, reason FROM operator_actions ORDER BY id")
    assert [tuple(row) for row in done] == [
        ("platform:devstack", "dead_letter.acknowledge", str(letter), "saved again"),
        ("platform:devstack", "lost_records.acknowledge", str(loss), "saved again"),
    ]
    assert (await machine.browser.text("/system")).count("None is open.") == 2


async def test_a_hundred_letters_are_cut(machine: Machine, admin: Admin) -> None:
    for n in range(40):
        await admin.execute(LETTER, n, "unreadable " + "y" * 1000)
    page = await machine.browser.get("/system")
    assert "There are more" in said(page.text)
    assert len(page.text) < 60_000


@pytest.mark.parametrize(("how", "status"), [("errors", 500), ("limit", 429), ("key", 401)])
async def test_the_sandbox_is_broken_for_a_minute_and_healed(machine: Machine, how: str, status: int) -> None:
    own = {"route": "GET /tool", "name": "a test's", "action": {"kind": "status", "status": 418}, "times": 1}
    await machine.vapi.put("/__sandbox/dials", json={"rules": [own]})
    broken = await machine.browser.send(f"/system/sandbox/{how}", on="/system")
    assert f"It answers every request with {status}, for a minute at most." in said(broken.text)
    assert (await machine.vapi.get("/assistant")).status_code == status
    assert "It answers as Vapi does." in said((await machine.browser.send("/system/sandbox/heal", on="/system")).text)
    assert (await machine.vapi.get("/assistant")).status_code == 200
    assert (await machine.vapi.get("/tool")).status_code == 418  # a rule of somebody else's stays


async def test_dials_are_turned_by_our_own_forms_alone(machine: Machine) -> None:
    assert (await machine.browser.client.post("/console/system/sandbox/errors", data={})).status_code == 403
    assert (await machine.browser.send("/system/sandbox/everything", on="/system")).status_code == 404
    assert (await machine.vapi.get("/assistant")).status_code == 200


async def test_where_no_sandbox_answers_there_are_no_dials(machine: Machine) -> None:
    async def not_a_sandbox(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=["rules"])

    machine.process.sandbox = SandboxDials("http://127.0.0.1:3003", OverHttpx(httpx.MockTransport(not_a_sandbox)))
    with pytest.raises(NoSandbox):
        await machine.process.sandbox.broken()
    page = await machine.browser.text("/system")
    assert "The sandbox in Vapi's place" not in page
    answer = await machine.browser.send("/system/sandbox/errors", on="/system")
    assert (answer.status_code, "no sandbox answers" in said(answer.text)) == (409, True)
    machine.process.sandbox = None
    answer = await machine.browser.send("/system/sandbox/errors", on="/system")
    assert (answer.status_code, "not on this machine" in said(answer.text)) == (409, True)


@pytest.mark.parametrize(
    ("url", "is_asked"),
    [
        ("http://127.0.0.1:3003", True),
        ("http://localhost:3003", True),
        ("https://api.vapi.ai", False),
        ("http://sandbox.internal:3003", False),
        ("http://127.0.0.1.example:3003", False),
    ],
)
def test_only_this_machine_is_asked_for_dials(settings: Settings, url: str, is_asked: bool) -> None:
    there = settings.model_copy(update={"vapi_base_url": url, "vapi_plain_http_allowed": True})
    assert (sandbox_of(there) is not None) == is_asked


async def test_settings_are_shown_without_any_secret(machine: Machine, settings: Settings) -> None:
    secrets = {
        "database_url": f"postgresql://tool_sync:{CANARY}/a@b:{CANARY}@db/x?password={CANARY}&sslmode=require",
        "vapi_api_key": type(settings.vapi_api_key)(CANARY),
        "assistant_api_token": type(settings.vapi_api_key)(CANARY),
        "console_key": type(settings.vapi_api_key)(CANARY),
        "log_signing_key": type(settings.vapi_api_key)(CANARY),
        "jwt_public_key": f"-----BEGIN PUBLIC KEY-----{CANARY}",
        "vapi_base_url": f"http://user:{CANARY}@127.0.0.1:3003",
        "assistant_api_url": f"https://{CANARY}@assistant-api/?api_key={CANARY}",
        "log_file": Path("/var/log/x.log"),
        "own_orgs": (uuid4(),),
    }
    there = settings.model_copy(update=secrets)
    machine.process.settings = settings_shown(there)
    page = await machine.browser.get("/system")
    words = said(page.text)
    assert CANARY not in page.text
    assert {one.variable for one in machine.process.settings} == {name.upper() for name in Settings.model_fields}
    assert "DATABASE_URL postgresql://***@db/x?password=********&sslmode=require must be given" in words
    assert "VAPI_API_KEY ******** must be given" in words
    assert str(there.own_orgs[0]) in words
    assert "/var/log/x.log" in words
    assert len(page.text) < 60_000


async def test_the_log_says_where_it_stands_and_that_its_newest_events_hold(
    machine: Machine, event_log: EventLog, admin: Admin
) -> None:
    assert "The log is empty." in await machine.browser.text("/log")
    for _ in range(3):
        await event_log.append(arrived(uuid4()))
    page = await machine.browser.text("/log")
    assert "The newest 3 events are as they were written: positions 1 to 3" in page
    assert "No head of this log was ever signed" in page
    assert "org_tools the newest event" in page
    assert "tool-sync projection rebuild org_tools" in page
    await admin.execute("INSERT INTO cursors (name, position) VALUES ('log-heads', 2)")
    machine.process.parts = Parts(leads=dict, readers=lambda: (), signs=lambda: "Kafka is away")
    page = await machine.browser.text("/log")
    assert "Signed up to position 2" in page
    assert "This process says: Kafka is away." in page


async def test_a_changed_event_is_named(machine: Machine, event_log: EventLog, admin: Admin) -> None:
    for _ in range(3):
        await event_log.append(arrived(uuid4()))
    await admin.execute("ALTER TABLE events DISABLE TRIGGER USER")
    await admin.execute("UPDATE events SET recorded_at = $1 WHERE position = 2", datetime(2026, 1, 1, tzinfo=UTC))
    page = await machine.browser.text("/log")
    assert "The newest events are not as they were written." in page
    assert "position 2: " in page


async def test_a_clinic_sees_nothing_of_it(make_browser: Callable[[], Browser], signer: Signer) -> None:
    clinic = make_browser()
    await clinic.sign_in(signer.org_token(str(uuid4())))
    for path in ("/system", "/log"):
        assert "this needs a token with the role platform" in await clinic.text(path, 403)
