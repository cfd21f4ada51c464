"""*Clinic*: one sentence for each assistant, what is wanted and what is there, what is set, and what changed."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tool_sync.domain import events as e
from tool_sync.vapi.rate_limit import KeyLimits, KeyTable, SharedKey

from ..explain.clinic import HASH, TOOL, Clinic, published, registered, tool_args
from ..explain.test_bookings import all_is_read, booked
from ..explain.test_coverage import another_tool, failed, save, synced
from .clinics import HOSTILE, Members, call
from .clinics import clinic_ as clinic_
from .clinics import member as member
from .conftest import Browser

LATER = datetime.now(UTC) + timedelta(hours=25)  # another day, at any hour
SETTINGS = f"/tools/{TOOL}/settings"


async def equipped(clinic: Clinic) -> None:
    """One assistant that can book."""
    await clinic.happened(published(), e.OrgRegistered("basic"), save(), registered(), synced("agent-1", "tool-1"))


async def page_of(browser: Browser, clinic: Clinic, query: str = "") -> str:
    answer = await browser.get(f"/orgs/{clinic.org_id}{query}")
    assert answer.status_code == 200, answer.text
    assert len(answer.content) < 60_000
    return await browser.text(f"/orgs/{clinic.org_id}{query}")


async def test_the_clinic_that_can_book_and_its_assistants(operator: Browser, clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(save("agent-2"), failed("agent-2", "TS-304"))
    await call(clinic, "Praxis Adler")
    await call(clinic, "Anna", "agent-1")
    said = await page_of(operator, clinic)
    assert "Praxis Adler · basic · can book: 1 of 2" in said
    assert f"Anna yes can book since {datetime.now(UTC):%H:}" in said
    assert "agent-2 no cannot book since" in said
    assert "the assistant at Vapi has no model" in said
    assert f"tool-sync coverage {clinic.org_id}" in said
    assert f"{TOOL} version 1 by rollout" in said
    assert "version 1 tool-1" in said
    assert "was changed" not in said
    assert "booking came to Vapi in version 1" in said


async def test_how_many_were_booked_and_what_is_not_counted(operator: Browser, clinic: Clinic) -> None:
    await equipped(clinic)
    assert "Bookings of 7 days: none that is known" in await page_of(operator, clinic)
    await booked(clinic, 12)
    await booked(clinic, 2, "not_a_slot")
    said = await page_of(operator, clinic)
    assert "Bookings of 7 days: at least 12 (last today " in said
    assert "Not counted: no call has ever been read." in said
    await all_is_read(clinic)
    for path in (f"/orgs/{clinic.org_id}", f"/orgs/{clinic.org_id}/agents/agent-1"):
        said = await operator.text(path)
        assert "Bookings of 7 days: 12 (last today " in said
        assert "Not counted" not in said
        assert "not a slot 2" in said
    then = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    assert "Bookings" not in await operator.text(f"/orgs/{clinic.org_id}/agents/agent-1?at={then}")


async def pause(clinic: Clinic) -> None:
    key = SharedKey(KeyTable(clinic.pool, "the-key"), KeyLimits(None, 1.0), monotonic=lambda: 0.0)
    await key.note("refused", datetime.now(UTC), 60.0, None, "TS-201")


Happen = Callable[[Clinic], Awaitable[None]]


def after_equipped(*events: e.Event) -> Happen:
    async def happen(clinic: Clinic) -> None:
        await equipped(clinic)
        await clinic.happened(*events)

    return happen


def only(*events: e.Event) -> Happen:
    async def happen(clinic: Clinic) -> None:
        await clinic.happened(*events)

    return happen


async def saved_while_paused(clinic: Clinic) -> None:
    await clinic.happened(published(), e.OrgRegistered("basic"), save())
    await pause(clinic)


NOT_SENT = e.SyncAttemptFailed(f"tool:{TOOL}", None, "refused", "TS-102", 1, LATER, HASH)
STATES: dict[str, tuple[Happen, str]] = {
    "just saved": (only(published(), e.OrgRegistered("basic"), save()), "s ago; its tools come now"),
    "the tool fails": (
        only(published(), e.OrgRegistered("basic"), save(), NOT_SENT), f"We try again at {LATER:%d %b %Y %H:%M}.",
    ),
    "no order": (only(e.OrgRegistered("basic"), save()), "takes no bookings: no tool is ordered for it"),
    "not in the tier": (
        only(published(1, "enterprise"), e.OrgRegistered("basic"), save()), "no tool belongs to its tier, basic",
    ),
    "switched off": (
        after_equipped(e.ToolSettingChanged(TOOL, False, "double bookings")),
        "booking was switched off by test: double bookings",
    ),
    "halted": (
        after_equipped(e.ToolHalted(TOOL, "it books twice")), "booking is stopped for every clinic: it books twice",
    ),
    "the tool is gone": (
        after_equipped(e.ToolVanished(*tool_args())), "cannot book: the clinic's tool for booking is not at Vapi yet",
    ),
    "an older tool": (
        after_equipped(e.ToolVanished(*tool_args()), registered(tool_id="tool-2")),
        "cannot book: it still has an older tool for booking",
    ),
    "a new tool": (after_equipped(another_tool()), "can book, but not all else (lookUpPatient)"),
    "changed at Vapi": (
        after_equipped(e.ToolDriftSeen("platform", TOOL, "tool-1", False, ("description",))),
        "can book since",
    ),
    "the key is paused": (saved_while_paused, "waits for Vapi's key, which is paused until"),
    "deleted": (after_equipped(e.AssistantRemoved("agent-1", None)), "It has no assistant yet."),
    "closed": (after_equipped(e.OrgClosed()), "The clinic was deleted, and its assistants with it."),
    "empty": (only(e.OrgRegistered("basic")), "It has no assistant yet."),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
async def test_each_state_is_said(operator: Browser, clinic: Clinic, name: str) -> None:
    happen, sentence = STATES[name]
    await happen(clinic)
    assert sentence in await page_of(operator, clinic)


async def test_the_assistants_are_loaded_again_alone(operator: Browser, clinic: Clinic, member: Members) -> None:
    await clinic.happened(published(), e.OrgRegistered("basic"), save())
    part = f"/orgs/{clinic.org_id}/assistants"
    assert f'hx-get="/console{part}"' in (await operator.get(f"/orgs/{clinic.org_id}")).text
    assert "its tools come now" in await operator.text(part)
    await clinic.happened(registered(), synced("agent-1", "tool-1"))
    own = await member()
    for browser in (operator, own):
        answer = await browser.get(part)
        assert "can book since" in answer.text
        assert "<html" not in answer.text
    assert (await (await member(uuid4())).get(part)).status_code == 404


async def test_what_is_set_by_whom_and_why(operator: Browser, clinic: Clinic) -> None:
    await equipped(clinic)
    until = datetime.now(UTC) + timedelta(days=3)
    await clinic.happened(
        e.ToolSettingChanged(TOOL, True, "we want it"),
        e.ToolPinned(TOOL, 1, HASH, "basic", until, "they train"),
        e.ChangeWindowSet("22:00", "06:00", "callers sleep"),
    )
    said = await page_of(operator, clinic)
    assert "switched on by test" in said
    assert ": we want it" in said
    assert "pinned to version 1 until" in said
    assert "22:00-06:00 (UTC)" in said
    assert "callers sleep" in said
    assert f"booking stays at version 1 until {until:%Y-%m-%d %H:%M} UTC by test: they train" in said


async def test_of_many_assistants_and_changes_a_page_shows_some_and_the_next_the_others(
    operator: Browser, clinic: Clinic
) -> None:
    await equipped(clinic)
    for n in range(30):
        await clinic.happened(save(f"b{n:02}"), failed(f"b{n:02}", "TS-304"))
        await clinic.happened(e.ToolSettingChanged(TOOL, True, f"reason {n}"))
    for n in range(30):
        await call(clinic, "&" * 200, f"b{n:02}")
    first = (await operator.get(f"/orgs/{clinic.org_id}")).text
    assert "agents/agent-1" in first
    assert "agents/b23" in first
    assert "agents/b24" not in first
    assert 'href="?after=b23#assistants"' in first
    rest = await page_of(operator, clinic, "?after=b23")
    assert "can book: 1 of 31" in rest
    assert "More assistants" not in rest
    before = first.split("?before=")[1].split("#")[0]
    assert "reason 14" in await page_of(operator, clinic, f"?before={before}")


@pytest.mark.parametrize("name", HOSTILE)
async def test_names_and_reasons_are_text(operator: Browser, clinic: Clinic, name: str) -> None:
    await equipped(clinic)
    await clinic.happened(e.ToolSettingChanged(TOOL, False, name))
    await call(clinic, name)
    await call(clinic, name, "agent-1")
    answer = await operator.get(f"/orgs/{clinic.org_id}")
    assert "<script>alert" not in answer.text
    assert await operator.text(f"/orgs/{clinic.org_id}")
    assert answer.text.count("<h1") == 1
    assert "49" not in answer.text.split("<main")[1].split("</h1>")[0]


async def test_there_is_no_such_clinic(operator: Browser) -> None:
    assert "nothing is known of it" in await operator.text(f"/orgs/{uuid4()}", 404)
    assert "this address is of no page" in await operator.text("/orgs/x", 404)
    assert "this address is of no page" in await operator.text(f"/orgs/{uuid4()}?before=0", 404)


async def test_another_clinic_is_not_told_of_it(clinic: Clinic, member: Members) -> None:
    await equipped(clinic)
    stranger = await member(uuid4())
    known, unknown = (
        await stranger.text(f"/orgs/{clinic.org_id}", 404), await stranger.text(f"/orgs/{uuid4()}", 404),
    )  # fmt: skip
    assert known.split("·")[0] == unknown.split("·")[0]


# Switching a tool


async def kinds(clinic: Clinic) -> list[tuple[str, str, str]]:
    select = (
        "SELECT type, meta ->> 'actor' AS actor, data ->> 'reason' AS reason FROM events "
        "WHERE org_id = $1 AND type LIKE 'ToolSetting%' ORDER BY position"
    )
    return [tuple(row) for row in await clinic.pool.fetch(select, clinic.org_id)]


async def test_a_tool_is_switched_off_and_on_with_a_reason(operator: Browser, clinic: Clinic) -> None:
    await equipped(clinic)
    here = f"/orgs/{clinic.org_id}"
    answer = await operator.send(f"{here}{SETTINGS}", on=here, to="off", reason="double bookings", seen="0")
    assert (answer.status_code, answer.url.path) == (200, f"/console{here}")
    (stored,) = await kinds(clinic)
    assert stored[0] == "ToolSettingChanged"
    assert stored[1].startswith("platform:")
    assert stored[2] == "double bookings"
    said = await page_of(operator, clinic)
    assert "booking was switched off by the platform (" in said
    assert "Switch booking on" in said
    position = (await operator.get(here)).text.split('name="seen" value="')[1].split('"')[0]
    await operator.send(f"{here}{SETTINGS}", on=here, to="on", reason="mended", seen=position)
    assert len(await kinds(clinic)) == 2
    assert "Switch booking off" in await page_of(operator, clinic)


async def test_a_form_that_is_sent_twice_is_written_once(operator: Browser, clinic: Clinic) -> None:
    await equipped(clinic)
    here, fields = f"/orgs/{clinic.org_id}", {"to": "off", "reason": "double bookings", "seen": "0"}
    answers = [await operator.send(f"{here}{SETTINGS}", on=here, **fields) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 412]
    assert "perhaps by this very form" in answers[1].text
    assert len(await kinds(clinic)) == 1


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"to": "off", "seen": "0", "reason": ""}, 422, "reason"),
        ({"to": "off", "seen": "0", "reason": "call 0049 171 1234567"}, 422, "reason"),
        ({"to": "off", "seen": "0", "reason": "x" * 201}, 422, "reason"),
        ({"to": "maybe", "seen": "0", "reason": "why"}, 422, "not one of this page"),
        ({"to": "off", "seen": "²", "reason": "why"}, 422, "not one of this page"),
        ({"to": "off", "seen": "9" * 30, "reason": "why"}, 422, "not one of this page"),
        ({"to": "off", "seen": "77", "reason": "why"}, 412, "the setting was changed since"),
        ({"to": "off", "seen": "0", "reason": "why", "form_token": "0" * 64}, 403, "before you signed in"),
    ],
)
async def test_what_cannot_be_set_is_told_and_not_written(
    operator: Browser, clinic: Clinic, fields: dict[str, str], status: int, said: str
) -> None:
    await equipped(clinic)
    here = f"/orgs/{clinic.org_id}"
    answer = await operator.send(f"{here}{SETTINGS}", on=here, **fields)
    assert answer.status_code == status
    assert said in answer.text
    assert await kinds(clinic) == []


async def test_an_unknown_tool_and_a_clinic_that_was_deleted(operator: Browser, clinic: Clinic) -> None:
    await equipped(clinic)
    here, fields = f"/orgs/{clinic.org_id}", {"to": "off", "seen": "0", "reason": "why"}
    answer = await operator.send(f"{here}/tools/bookClinic/settings", on=here, **fields)
    assert (answer.status_code, "there is no tool bookClinic" in answer.text) == (404, True)
    await clinic.happened(e.OrgClosed())
    assert "Switch booking" not in await page_of(operator, clinic)
    assert (await operator.send(f"{here}{SETTINGS}", on=here, **fields)).status_code == 409
    assert await kinds(clinic) == []
