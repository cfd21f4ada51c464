"""*Assistant*: its sentence, its newest run as a drawing and in words, any time before, and the text of a ticket."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import uuid4

import pytest

from tool_sync.domain import events as e
from tool_sync.log import AppendRequest, Meta, NewEvent, org_stream, toolset_stream
from zerotouch_platform import traces

from ..explain.clinic import HASH, TOOL, Clinic, published
from ..explain.test_coverage import failed, save
from .clinics import HOSTILE, Members, call
from .clinics import clinic_ as clinic_
from .clinics import member as member
from .conftest import Browser
from .test_clinic import equipped

TRACE = "0af7651916cd43dd8448eb211c80319c"
META = Meta("cause", "correlation", f"00-{TRACE}-b7ad6b7169203331-01", "test", "1")


async def traced(clinic: Clinic, *events: e.Event) -> None:
    """These happen in one trace, each a little later than the one before."""
    for event in events:
        stream = org_stream(clinic.org_id) if isinstance(event, e.OrgEvent) else toolset_stream(clinic.org_id)
        await clinic.log.append(AppendRequest(stream, clinic.org_id, None, (NewEvent(uuid4(), event),), META))


async def run(clinic: Clinic, *, until: int = 6) -> None:
    """A save and all that follows, up to some step."""
    attempt, link = uuid4(), uuid4()
    ref = e.ToolRef(TOOL, "tool-1", 1, HASH)
    await clinic.happened(published(), e.OrgRegistered("basic"))
    steps = (
        save(),
        e.ToolRegistrationStarted(attempt, "platform", TOOL, 1, HASH),
        e.ToolRegistered(attempt, "platform", TOOL, "tool-1", 1, HASH, HASH, adopted=False),
        e.AssistantLinkStarted(link, "platform", "agent-1", "assistant-agent-1", 1, HASH, (ref,)),
        e.AssistantLinked(link, "platform", "agent-1", "assistant-agent-1", 1, HASH, HASH, HASH, (ref,)),
        e.AssistantSynced("agent-1", "assistant-agent-1", 1, "platform", (ref,), (), 5, None, None),
    )
    await traced(clinic, *steps[:until])


def path(clinic: Clinic, query: str = "") -> str:
    return f"/orgs/{clinic.org_id}/agents/agent-1{query}"


async def test_the_newest_run_in_words_and_as_a_drawing(operator: Browser, clinic: Clinic) -> None:
    await run(clinic)
    await call(clinic, "Anna", "agent-1")
    said = await operator.text(path(clinic))
    assert "Anna can book since" in said
    for words in (
        "the assistant was saved (revision 1)",
        "we asked Vapi for the tool for booking, version 1",
        "Vapi has made the tool for booking",
        "we asked Vapi to give the assistant its tools (booking)",
        "Vapi has changed the assistant as we asked",
        "it is done: callers of the assistant reach booking",
    ):
        assert words in said
    assert f"Trace {TRACE}" in said
    page = (await operator.get(path(clinic))).text
    assert page.count("<rect") == 4, "the save, two writes to Vapi, the end"
    assert "style=" not in page
    assert "tool-sync explain agent-1" in said


async def test_a_write_without_an_answer_is_drawn_open(operator: Browser, clinic: Clinic) -> None:
    await run(clinic, until=2)
    page = (await operator.get(path(clinic))).text
    assert page.count('class="open"') == 1
    assert "no answer yet" in page


async def test_a_write_that_failed_is_drawn_as_failed(operator: Browser, clinic: Clinic) -> None:
    await run(clinic, until=1)
    attempt = uuid4()
    await traced(
        clinic,
        e.ToolRegistrationStarted(attempt, "platform", TOOL, 1, HASH),
        e.SyncAttemptFailed(f"tool:{TOOL}", attempt, "refused", "TS-301", 1, None, HASH),
    )
    said = await operator.text(path(clinic))
    assert "cannot book yet: Vapi refused the tool's definition (4xx)" in said
    assert "· failed" in said
    assert "Correct the tool's file and ship it" in said


async def test_a_run_without_a_trace_says_so(operator: Browser, clinic: Clinic) -> None:
    await equipped(clinic)
    assert "its save brought no trace" in await operator.text(path(clinic))


async def test_the_link_to_the_trace(operator: Browser, clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    await run(clinic)
    assert f"/trace/{TRACE}" not in (await operator.get(path(clinic))).text
    monkeypatch.setattr(traces, "_jaeger_ui_url", "http://jaeger.example")
    assert f'href="http://jaeger.example/trace/{TRACE}"' in (await operator.get(path(clinic))).text


async def test_step_by_step_into_the_past_and_back(operator: Browser, clinic: Clinic) -> None:
    await run(clinic)
    await clinic.happened(failed("agent-1", "TS-307", "tool-1"))
    page = (await operator.get(path(clinic))).text
    assert "cannot book since" in page
    sentences = []
    while (earlier := re.search(r'href="(\?at=[^"]+)" rel="prev"', page)) is not None:
        page = (await operator.get(path(clinic, unescape(earlier[1])))).text
        sentences.append(page.split('class="sentence')[1].split("</p>")[0])
    assert len(sentences) >= 3
    assert "can book since" in sentences[0]
    assert "its tools come now" in sentences[-1]
    assert "Nothing happened earlier" in page
    steps = 0
    while (later := re.search(r'href="(\?at=[^"]+)" rel="next"', page)) is not None:
        page, steps = (await operator.get(path(clinic, unescape(later[1])))).text, steps + 1
    assert steps == len(sentences)
    assert "cannot book since" in page


async def test_before_the_clinic_and_before_the_assistant(operator: Browser, clinic: Clinic) -> None:
    await clinic.happened(e.OrgRegistered("basic"))
    between = datetime.now(UTC)
    await clinic.happened(published(), save())
    assert "nobody knew of agent-1 yet" in await operator.text(path(clinic, f"?at={between:%Y-%m-%dT%H:%M:%S.%fZ}"))
    assert "nothing is known of it" in await operator.text(path(clinic, "?at=2020-01-01T00:00:00"), 404)
    assert "this address is of no page" in await operator.text(path(clinic, "?at=yesterday"), 404)
    in_a_year = datetime.now(UTC) + timedelta(days=365)
    assert "At " in await operator.text(path(clinic, f"?at={in_a_year:%Y-%m-%dT%H:%M:%S}"))


async def test_the_ticket_has_everything_that_somebody_asks_for(operator: Browser, clinic: Clinic) -> None:
    await run(clinic, until=1)
    await call(clinic, "Praxis Adler")
    page = (await operator.get(path(clinic))).text
    ticket = unescape(page.split("<textarea")[1].split(">", 1)[1].split("</textarea>")[0])
    assert ticket.startswith("agent-1 of Praxis Adler: was saved ")
    for line in (
        f"clinic     {clinic.org_id}",
        "agent      agent-1",
        "assistant  assistant-agent-1",
        f"trace      {TRACE}",
    ):
        assert line in ticket
    assert "open save  " in ticket
    assert f"/console/orgs/{clinic.org_id}/agents/agent-1" in ticket


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_a_tenant_wrote_is_text(operator: Browser, clinic: Clinic, name: str) -> None:
    await equipped(clinic)
    await clinic.happened(e.ToolSettingChanged(TOOL, False, name))
    await call(clinic, name)
    await call(clinic, name, "agent-1")
    page = (await operator.get(path(clinic))).text
    assert "<script>alert" not in page
    assert page.count("<textarea") == 1


async def test_a_page_of_a_long_history_is_short(operator: Browser, clinic: Clinic) -> None:
    await run(clinic)
    for n in range(40):
        await traced(
            clinic,
            save(revision=n),
            e.SyncAttemptFailed("agent:agent-1", uuid4(), "unknown", "TS-104", n, datetime.now(UTC), HASH),
            e.ToolSettingChanged(TOOL, False, '"&<>' * 50),
        )
    answer = await operator.get(path(clinic))
    assert answer.status_code == 200
    assert len(answer.content) < 60_000


async def test_who_is_not_there(operator: Browser, clinic: Clinic, member: Members) -> None:
    await equipped(clinic)
    assert "there is no such assistant" in await operator.text(f"/orgs/{clinic.org_id}/agents/nobody", 404)
    assert "this address is of no page" in await operator.text(f"/orgs/{clinic.org_id}/agents/a%20b", 404)
    stranger = await member(uuid4())
    assert (await stranger.get(path(clinic))).status_code == 404
    own = await member()
    assert "can book since" in await own.text(path(clinic))
    assert "ToolRegistered" not in (await own.get(path(clinic))).text, "raw events are the platform's"


async def test_a_deleted_assistant_and_a_deleted_clinic(operator: Browser, clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(e.AssistantRemoved("agent-1", None))
    said = await operator.text(path(clinic))
    assert f"agent-1 was deleted at {datetime.now(UTC):%H:}" in said
    assert "the assistant was deleted" in said
    await clinic.happened(e.OrgClosed())
    assert "takes no bookings: the clinic was deleted" in await operator.text(path(clinic))
