"""A group of failures: what it says, what is left out of Vapi's words, and trying them again in one go."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import pytest

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.admin import retries
from tool_sync.admin.failures import retry_failures
from tool_sync.admin.retries import Retrying
from tool_sync.domain import events as e
from tool_sync.log import EventLog
from tool_sync.queries.failures import Which, failures_not_asked
from tool_sync.vapi.masked import CHARACTERS_MAX, masked
from zerotouch_contracts.errors import CATALOGUE, ErrorCode

from ..ordering import say, version
from .conftest import Browser, said
from .oncall import HOSTILE, World, save

BYTES_MAX = 60_000
WORDS = """
INSERT INTO vapi_words (org_id, agent_id, route, status, code, words)
VALUES ($1, 'agent-1', 'PATCH /assistant/{id}', 400, $2, $3)
"""
ASKED = """
SELECT org_id, data ->> 'agent_id' AS agent, data ->> 'reason' AS reason, meta ->> 'actor' AS actor
  FROM events WHERE type = 'RetryRequested' ORDER BY position
"""


@pytest.fixture
def world(event_log: EventLog, pool: db.Pool) -> World:
    return World(event_log, pool)


@pytest.fixture
def retrying(event_log: EventLog, pool: db.Pool) -> Retrying:
    """What every process runs once a second."""
    return Retrying(pool, event_log)


async def group(world: World, clinics: int, code: str = "TS-301") -> list[UUID]:
    orgs = [await world.clinic(f"Clinic {number}") for number in range(clinics)]
    for org in orgs:
        await world.failed(org, code)
    return orgs


async def tried(world: World, org: UUID, *, healed: bool) -> None:
    """A worker has carried out what was asked for."""
    if healed:
        await world.synced(org, cause="recovered")
    await world.append(org, e.OrgSettled(await world.head()))


async def retry(operator: Browser, code: str = "TS-301", reason: str = "shipped a mended file") -> httpx.Response:
    return await operator.send("/failures/retry", on=f"/failures?code={code}", code=code, reason=reason)


async def test_a_group_says_what_the_code_means_and_whom_it_concerns(operator: Browser, world: World) -> None:
    await group(world, 3)
    await group(world, 1, "TS-304")
    page = await operator.text("/failures?code=TS-301")
    entry = CATALOGUE[ErrorCode.TOOL_REFUSED]
    for words in (entry.title, entry.meaning, entry.who_acts, entry.what_to_do, "waiting does not help"):
        assert words in page
    assert "3 assistants of 3 clinics fail like this now, since" in page
    assert "Failed: 3 in 24 h" in page
    assert page.count("TS-301 " + f"{datetime.now(UTC):%H}:") == 3
    assert "tool-sync failures list --code TS-301" in page
    assert "TS-304" not in page
    everything = await operator.text("/failures")
    assert "4 assistants of 4 clinics" in everything
    assert "TS-304 assistant without a model 1 1" in everything


async def test_filters_are_in_the_address(operator: Browser, world: World) -> None:
    first, _ = await group(world, 2)
    page = await operator.text(f"/failures?org={first}&since=2h")
    assert "1 assistant of 1 clinic fails like this now" in page
    assert f"tool-sync failures list --org {first} --since " in page
    later = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert "Nothing fails like this now" in await operator.text(f"/failures?since={later}")
    assert "Nothing fails like this now" in await operator.text(f"/failures?org={uuid4()}")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("org=x", "org: the id of a clinic is a UUID"),
        ("since=soon", "since: 'soon' is not a time"),
        ("code=" + "x" * 41, "code: an error code is like TS-301"),
        ("code=%00", "code: an error code is like TS-301"),
        ("after=x/y", "after: this is no place of the list"),
    ],
)
async def test_a_filter_that_cannot_be_read_is_told(operator: Browser, query: str, why: str) -> None:
    assert why in await operator.text(f"/failures?{query}", 422)


async def test_a_code_of_a_newer_release_and_one_of_nobody(operator: Browser) -> None:
    for path in ("/failures?code=TS-399", "/failures?code=%3Cscript%3E"):
        page = await operator.text(path)
        assert "This release does not know the code" in page
        assert "Nothing fails like this now" in page
    assert "<script>" not in (await operator.get("/failures?code=%3Cscript%3E")).text.replace("<script src", "")


async def test_more_than_a_page_is_turned_over_without_a_gap(
    operator: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tool_sync.console.failures.SHOWN", 2)
    orgs = await group(world, 5)
    path, seen = "/failures?code=TS-301", list[str]()
    while path:
        page = (await operator.get(path)).text
        seen += re.findall(r'<th scope="row"><a href="/console/orgs/([0-9a-f-]+)">', page)
        more = re.search(r'<a href="/console([^"]+)">More</a>', page)
        path = more[1].replace("&amp;", "&") if more else ""
    assert seen == sorted(map(str, orgs))


async def test_who_lacks_a_tool_without_a_failure_has_a_page_of_its_own(operator: Browser, world: World) -> None:
    assert "Nobody lacks a tool like this." in await operator.text("/lacking")
    await world.order()
    org = await world.clinic("Adler Dental")
    await world.synced(org)
    other = version("lookUpPatient")
    await say(world.log, other, e.RolloutStarted("r", "lookUpPatient", 1, (), "a test's", None))
    await say(world.log, e.RolloutCompleted("r", "lookUpPatient", "promoted", "a test's"))
    await world.failed(await world.clinic("Bergmann"))
    page = await operator.text("/lacking")
    assert "Adler Dental agent-1 lookUpPatient is wanted, and the clinic does not have it at Vapi yet" in page
    assert "Bergmann" not in page, "its failure says why"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("model.messages must be an array", "model.messages must be an array"),
        ("Invalid value: firstMessage must be a string", "Invalid value: firstMessage must be a string"),
        ("name 'Dr. Smith' is too long, call +49 30 1234567", "name … is too long, call …"),
        ("patient anna schmidt, born 1990-02-03", "…"),
        ("Will May Mark call?", "… call…"),
        ("<script>alert(1)</script>", "…"),
        ("Ünïcödé \u202e должен", "…"),
        ("", ""),
    ],
)
def test_only_words_of_a_closed_list_are_shown(words: str, shown: str) -> None:
    assert masked(words) == shown


def test_a_long_text_is_cut() -> None:
    assert len(masked("must be a string " * 1000)) <= CHARACTERS_MAX


async def test_what_vapi_said_is_masked_and_counted_by_clinics(operator: Browser, world: World) -> None:
    for number, org in enumerate(await group(world, 3)):
        await world.pool.execute(
            WORDS, org, "TS-301", f"name must not exceed 40 characters, got 'Praxis Schmidt {number}'"
        )
    await world.pool.execute(WORDS, uuid4(), "TS-302", "another code")
    answer = await operator.get("/failures?code=TS-301")
    assert "3 PATCH /assistant/{id} 400 name must not exceed … characters, …" in said(answer.text)
    assert "Schmidt" not in answer.text
    assert "another code" not in answer.text


async def test_trying_again_says_before_what_it_takes(operator: Browser, world: World) -> None:
    await group(world, 2)
    page = await operator.text("/failures?code=TS-301")
    assert "2 assistants of 2 clinics, about 6 calls of Vapi's: less than a second at the 720 a minute" in page


async def test_a_job_is_asked_for_in_the_name_of_who_began_it_and_followed_to_its_end(
    operator: Browser, world: World, retrying: Retrying
) -> None:
    heals, fails, goes = await group(world, 3)
    other = (await group(world, 1, "TS-304"))[0]
    answer = await retry(operator)
    job = answer.url.path.removeprefix("/console")
    assert "It begins within seconds." in said(answer.text)
    assert "shipped a mended file" in said(answer.text)
    assert await retrying.run_once()
    asked = await world.pool.fetch(ASKED)
    assert {row["org_id"] for row in asked} == {heals, fails, goes}, "and nobody of another code"
    assert other not in {row["org_id"] for row in asked}
    assert {(row["agent"], row["reason"], row["actor"]) for row in asked} == {
        ("agent-1", "shipped a mended file", "platform:devstack")
    }
    assert "3 of 3 are asked for, 0 of them tried" in await operator.text(job)
    await tried(world, heals, healed=True)
    assert "1 of them tried: 1 work now, 0 fail again." in await operator.text(job + "/part")
    await tried(world, fails, healed=False)
    await world.append(goes, e.AssistantRemoved("agent-1", None, 1))
    await tried(world, goes, healed=False)
    assert not await retrying.run_once(), "who fails again is not asked for twice"
    page = await operator.text(job)
    assert "Done: 1 of 3 work now, 1 fail again. Of 1 there is nothing to tell" in page
    assert "Nothing more is asked for: all were asked for." in page
    assert not await retrying.run_once()
    assert len(await world.pool.fetch(ASKED)) == 3
    assert 'max="3" value="3"' in (await operator.get(job)).text


async def test_a_job_is_asked_for_page_by_page_and_another_process_goes_on_with_it(
    operator: Browser, world: World, event_log: EventLog, pool: db.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "PAGE", 2)
    monkeypatch.setattr(retries, "OPEN_MAX", 1)
    orgs = await group(world, 5)
    job = (await retry(operator)).url.path.removeprefix("/console")
    for asked in (2, 4, 5):
        for _ in range(2):  # the second look finds that the page is not tried yet
            await Retrying(pool, event_log).run_once()  # a new one each time: nothing is kept in a process
        rows = await pool.fetch(ASKED)
        assert len(rows) == asked
        for row in rows:
            await tried(world, row["org_id"], healed=False)
    assert {row["org_id"] for row in await pool.fetch(ASKED)} == set(orgs)
    assert "5 of 5 are asked for" in await operator.text(job)


async def test_the_form_that_stops_a_job_goes_when_the_job_has_ended(
    operator: Browser, world: World, retrying: Retrying
) -> None:
    (org,) = await group(world, 1)
    job = (await retry(operator)).url.path.removeprefix("/console")
    part = f"{job}/part?can_stop=1"
    assert f'hx-get="/console{part}"' in (await operator.get(job)).text
    await retrying.run_once()
    assert "hx-refresh" not in (await operator.get(part)).headers
    await tried(world, org, healed=True)
    await retrying.run_once()
    answer = await operator.get(part)
    assert (answer.status_code, answer.headers["hx-refresh"]) == (204, "true")
    page = (await operator.get(job)).text
    assert f"{job}/stop" not in page
    assert f'hx-get="/console{job}/part"' in page, "so it is loaded anew once, and not every two seconds"
    assert "hx-refresh" not in (await operator.get(f"{job}/part")).headers


async def test_a_process_looks_rarely_while_there_is_no_job(
    operator: Browser, world: World, retrying: Retrying
) -> None:
    def pause_seconds() -> float:
        pause = retrying.loop.pause_seconds
        return pause() if callable(pause) else pause

    (org,) = await group(world, 1)
    await retrying.run_once()
    assert pause_seconds() == retries.IDLE_SECONDS
    await retry(operator)
    await retrying.run_once()
    assert pause_seconds() == retries.LOOK_SECONDS < retries.IDLE_SECONDS
    await tried(world, org, healed=True)
    for _ in range(2):  # the first one ends it
        await retrying.run_once()
    assert pause_seconds() == retries.IDLE_SECONDS


async def test_two_processes_that_ask_at_once_ask_once(
    operator: Browser, world: World, retrying: Retrying, event_log: EventLog, pool: db.Pool
) -> None:
    await group(world, 3)
    await retry(operator)
    async with pool.acquire() as connection:
        found = await failures_not_asked(connection, Which(code="TS-301"), "failures-retry-1", 10)
    for _ in range(2):
        await retry_failures(event_log, found, "why", correlation_id="failures-retry-1")
    await retrying.run_once()
    assert len(await pool.fetch(ASKED)) == 3


async def test_what_was_not_asked_for_is_not_asked_for_after_a_stop(
    operator: Browser, world: World, retrying: Retrying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "PAGE", 2)
    await group(world, 5)
    job = (await retry(operator)).url.path.removeprefix("/console")
    await retrying.run_once()
    assert "reason: " in said((await operator.send(f"{job}/stop", on=job, reason=" ")).text)
    answer = await operator.send(f"{job}/stop", on=job, reason="wrong file")
    assert "Stopped by platform:devstack" in said(answer.text)
    assert "wrong file. 3 were not asked for." in said(answer.text)
    assert f"{job}/stop" not in answer.text
    for row in await world.pool.fetch(ASKED):
        await tried(world, row["org_id"], healed=True)
    assert not await retrying.run_once()
    assert len(await world.pool.fetch(ASKED)) == 2
    assert "Done: 2 of 2 work now, 0 fail again." in await operator.text(job)
    rows = await world.pool.fetch("SELECT principal, action FROM operator_actions ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("platform:devstack", "failures.retry"),
        ("platform:devstack", "failures.retry_end"),
    ]
    assert "3 assistants of 3 clinics" in await operator.text("/failures?code=TS-301")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "a\nb", "call +49 30 123456789"])
async def test_a_reason_that_cannot_be_kept_is_told_on_the_form(operator: Browser, world: World, reason: str) -> None:
    await group(world, 1)
    answer = await retry(operator, reason=reason)
    assert answer.status_code == 422
    assert "reason: " in said(answer.text)
    assert "Try it again" in said(answer.text), "the form stands there again"
    assert await world.pool.fetchval("SELECT count(*) FROM operator_actions") == 0


async def test_a_group_that_is_gone_begins_no_job(operator: Browser, world: World) -> None:
    (org,) = await group(world, 1)
    answer = await operator.get("/failures?code=TS-301")
    await world.synced(org)
    token = re.search(r'name="form_token" value="([0-9a-f]*)"', answer.text)
    assert token is not None
    data = {"form_token": token[1], "code": "TS-301", "reason": "again"}
    sent = await operator.client.post("/console/failures/retry", data=data)
    assert (sent.status_code, "nothing fails like that now" in said(sent.text)) == (409, True)
    del data["form_token"]
    assert (await operator.client.post("/console/failures/retry", data=data)).status_code == 403


async def test_no_job_of_this_id(operator: Browser) -> None:
    for number in ("1", "0", "-1", str(2**63), "9" * 40, "x"):
        assert (await operator.get(f"/retries/{number}")).status_code == 404
    assert (await operator.send("/retries/1/stop", on="/", reason="why")).status_code == 404


async def test_a_clinic_sees_and_begins_nothing_here(
    make_browser: Callable[[], Browser], signer: Signer, world: World
) -> None:
    (org,) = await group(world, 1)
    clinic = make_browser()
    await clinic.sign_in(signer.org_token(str(org)))
    for path in ("/failures", f"/failures?org={org}", "/lacking", "/retries/1", "/retries/1/part"):
        assert (await clinic.get(path)).status_code == 403
    for path in ("/failures/retry", "/retries/1/stop"):
        assert (await clinic.client.post(f"/console{path}", data={"reason": "x"})).status_code == 403


@pytest.mark.parametrize("name", HOSTILE)
async def test_names_and_words_are_text(operator: Browser, world: World, name: str) -> None:
    agent = "<b>&\"'"
    org = await world.clinic(name, agents=(agent,))
    await world.failed(org, "TS-301", agent)
    await world.pool.execute(WORDS, org, "TS-301", name[:2000])
    for path in ("/failures?code=TS-301", f"/failures?code={quote(name[:40])}" if name.isprintable() else "/failures"):
        page = await operator.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<b>&" not in page.text
        assert len(page.content) < BYTES_MAX


async def test_a_full_page_stays_small(operator: Browser, world: World) -> None:
    for _ in range(101):
        org = await world.clinic("n" * 500)
        await world.failed(org)
    page = await operator.get("/failures?code=TS-301")
    assert "101 assistants of 101 clinics" in said(page.text)
    assert ">More</a>" in page.text
    assert len(page.content) < BYTES_MAX


async def test_a_closed_clinic_is_not_tried_again(operator: Browser, world: World, retrying: Retrying) -> None:
    first, second = await group(world, 2)
    await retry(operator)
    await world.append(second, e.OrgClosed())
    await retrying.run_once()
    assert [row["org_id"] for row in await world.pool.fetch(ASKED)] == [first]


async def test_a_save_that_comes_meanwhile_is_told_apart(operator: Browser, world: World, retrying: Retrying) -> None:
    (org,) = await group(world, 1)
    job = (await retry(operator)).url.path.removeprefix("/console")
    await retrying.run_once()
    another = save(revision=2)
    await world.append(org, e.SyncRequested(another.request_id, "agent-1", "another", 2, "b" * 64, "save", None))
    await tried(world, org, healed=False)
    assert "Of 1 there is nothing to tell" in await operator.text(job)
