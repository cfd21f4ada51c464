"""*Tonight* and *Waiting*: what fails and why, what waits for what, and that no all-clear is given falsely."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.console.chart import BIN, DAY, day_begins, line
from tool_sync.domain import events as e
from tool_sync.log import EventLog
from tool_sync.queries.waiting import waiting_saves
from zerotouch_contracts.errors import CATALOGUE, ErrorCode

from ..ordering import say, version
from .conftest import Browser
from .oncall import HOSTILE, TOOL, World, save

BYTES_MAX = 60_000


@pytest.fixture
def world(event_log: EventLog, pool: db.Pool) -> World:
    return World(event_log, pool)


async def test_an_empty_log_claims_nothing(operator: Browser) -> None:
    page = await operator.text("/")
    assert "No assistant should book: no save has come yet, or no tool is ordered." in page
    assert "No save waits." in page
    assert "No outcome yet." in page
    assert "Every assistant" not in page


async def test_all_is_well_only_where_every_assistant_that_should_book_can(operator: Browser, world: World) -> None:
    await world.order()
    org = await world.clinic()
    page = await operator.text("/")
    assert "1 of 1 assistants that should book cannot." in page
    assert "saved, and no sync has ended yet 1 1" in page
    await world.synced(org)
    assert "Every assistant that should book can: 1 of 1 clinics." in await operator.text("/")
    other = version("lookUpPatient")
    await say(world.log, other, e.RolloutStarted("r", "lookUpPatient", 1, (), "a test's", None))
    await say(world.log, e.RolloutCompleted("r", "lookUpPatient", "promoted", "a test's"))
    page = await operator.text("/")
    assert "1 of 1 assistants that should book cannot." in page, "nobody failed, and still somebody lacks a tool"
    assert "a wanted tool is lacking 1 1" in page
    await say(world.log, e.ToolHalted(TOOL, "books twice"))
    assert f"{TOOL} is halted: nobody may have it." in await operator.text("/")


async def test_failures_are_grouped_by_cause_with_who_acts_and_what_to_do(operator: Browser, world: World) -> None:
    await world.order()
    for _ in range(3):
        org = await world.clinic(agents=("a", "b"))
        await world.failed(org, "TS-301", "a")
        await world.failed(org, "TS-301", "b")
    await world.failed(await world.clinic(), "TS-304")
    healed, gone = await world.clinic(), await world.clinic()
    await world.failed(healed, "TS-303")
    await world.synced(healed, cause="recovered")
    await world.failed(gone, "TS-305")
    await world.append(gone, e.OrgClosed())
    page = await operator.get("/")
    said = await operator.text("/")
    for code, clinics, assistants in ((ErrorCode.TOOL_REFUSED, 3, 6), (ErrorCode.ASSISTANT_WITHOUT_MODEL, 1, 1)):
        entry = CATALOGUE[code]
        since = f"{datetime.now(UTC):%H:}"
        assert f"{code} {entry.title} {clinics} {assistants} {since}" in said
        assert f"{entry.who_acts} {entry.what_to_do}" in said
        assert f'href="/console/failures?code={code}"' in page.text
    assert said.index("TS-301 tool") < said.index("TS-304 assistant")
    assert "TS-303 assistant" not in said, "it works again"
    assert "TS-305 assistant" not in said, "the clinic is closed"


async def test_a_code_of_a_newer_release_is_shown_as_it_is(operator: Browser, world: World) -> None:
    await world.failed(await world.clinic(), "TS-399")
    page = await operator.text("/")
    assert "TS-399 1 1" in page
    assert "What fails below is of clinics for which no tool is wanted." in page


async def test_what_waits_says_for_what(operator: Browser, world: World) -> None:
    first = await world.clinic("Adler Dental")
    second = await world.clinic("Bergmann")
    for path in ("/", "/waiting"):
        page = await operator.text(path)
        assert page.index("Adler Dental") < page.index("Bergmann"), "the oldest first"
        assert "a free worker" in page
    failed = e.SyncAttemptFailed("agent:agent-1", None, "refused", "TS-102", 1, datetime.now(UTC))
    await world.append(first, failed)
    lease = "INSERT INTO leases (org_id, token, until, next_due) VALUES ($1, $2, $3, $4)"
    later = datetime.now(UTC) + DAY
    await world.pool.execute(lease, first, None, None, later)
    await world.pool.execute(lease, second, uuid4(), later, None)
    page = await operator.text("/waiting")
    assert f"the next try at {later:%d %b %Y %H:%M}, after TS-102 Vapi server error" in page
    assert "Vapi's answer: a worker is at it now" in page
    await world.synced(first)
    await world.synced(second)
    assert "No save waits: every one has its outcome." in await operator.text("/waiting")


async def test_a_paused_key_is_told_first_on_every_part(operator: Browser, world: World) -> None:
    await world.clinic("Adler Dental")
    before = await operator.get("/tonight")
    assert "Nothing is sent to Vapi" not in before.text
    await world.pause_key("TS-202")
    for path in ("/", "/tonight", "/waiting"):
        page = await operator.text(path)
        entry = CATALOGUE[ErrorCode.VAPI_PAYMENT_REQUIRED]
        assert "Nothing is sent to Vapi" in page
        assert f"TS-202 {entry.title} (key abcdef01)" in page
        assert f"Who acts: {entry.who_acts}. {entry.what_to_do}" in page
        assert "the Vapi key, which is paused: TS-202" in page
    assert "TS-202 since" in await operator.text("/lights")


async def test_a_save_that_waits_again_waits_since_its_oldest(operator: Browser, world: World) -> None:
    org = await world.clinic()
    oldest = await world.pool.fetchval("SELECT recorded_at FROM events WHERE type = 'SyncRequested'")
    await world.append(org, save(revision=2), save(revision=3))
    async with world.pool.acquire() as connection:
        (one,) = await waiting_saves(connection, 10)
    assert one.since == oldest


async def test_outcomes_are_drawn_and_listed(operator: Browser, world: World) -> None:
    org = await world.clinic("Adler Dental", agents=("a", "b"))
    await world.synced(org, "a")
    await world.failed(org, "TS-304", "b")
    page = await operator.text("/")
    assert "Failed: 1 in 24 h, 1 at most in 15 min" in page
    assert "Synced: 1 in 24 h" in page
    newest = page[page.index("What happened last") :]
    assert newest.index("failed TS-304 Adler Dental b") < newest.index("synced Adler Dental a")


def test_a_line_has_a_step_for_each_quarter_of_an_hour() -> None:
    begins = day_begins(datetime(2026, 1, 2, 3, 20, tzinfo=UTC))
    assert begins == datetime(2026, 1, 1, 3, 30, tzinfo=UTC)
    drawn = line("Failed", {begins: 4, begins + DAY - BIN: 2, begins - BIN: 9, begins + DAY: 9}, begins)
    assert (drawn.total, drawn.most, drawn.most_at) == (6, 4, begins)
    steps = drawn.points.split()
    assert (steps[0], steps[2], steps[-1], len(steps)) == ("0,1.0", "1,39.0", "96,20.0", 192)
    assert line("Failed", {}, begins).most_at is None


@pytest.mark.parametrize("name", HOSTILE)
async def test_names_are_text(operator: Browser, world: World, name: str) -> None:
    agent = "<b>&\"'"
    org = await world.clinic(name, agents=(agent,))
    await world.failed(org, "TS-<i>", agent)
    await world.append(org, save(agent, revision=2))
    for path in ("/", "/waiting"):
        page = await operator.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<b>&" not in page.text
        assert "<i>" not in page.text
        assert len(page.content) < BYTES_MAX


async def test_many_of_everything_stay_small(operator: Browser, world: World) -> None:
    for number in range(30):
        org = await world.clinic("n" * 500)
        await world.failed(org, f"TS-{600 + number}")
        await world.append(org, save(revision=2))
    page = await operator.get("/")
    assert len(page.content) < BYTES_MAX
    assert "All causes" in page.text
    assert page.text.count("Waits since") == 1


async def test_a_clinic_is_sent_to_its_own_page_and_sees_nothing_of_others(
    make_browser: Callable[[], Browser], signer: Signer
) -> None:
    clinic, org = make_browser(), uuid4()
    answer = await clinic.sign_in(signer.org_token(str(org)))
    assert answer.url.path == f"/console/orgs/{org}"
    for path in ("/tonight", "/waiting"):
        assert "this needs a token with the role platform" in await clinic.text(path, 403)
