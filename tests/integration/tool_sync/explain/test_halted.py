"""What coverage says where a tool is halted: nobody should book by it, and that is said and not called well."""

from uuid import uuid4

import pytest

from devstack.databases import DatabaseUrls
from tool_sync.domain import events as e
from zerotouch_contracts.errors import CATALOGUE, ErrorCode

from ..command import command, result
from ..ordering import complete, say
from .clinic import HASH, TOOL, Clinic, registered


@pytest.fixture
async def booking(clinic: Clinic) -> Clinic:
    """One assistant that can book, by an order for every clinic."""
    await say(clinic.log, e.BlueprintPublished(TOOL, 1, "basic", True, HASH, {"parameters": []}))
    await complete(clinic.log, TOOL, 1)
    ref = e.ToolRef(TOOL, "tool-1", 1, HASH)
    await clinic.happened(
        e.OrgRegistered("basic"),
        e.SyncRequested(uuid4(), "agent-1", "assistant-agent-1", 1, HASH, "save", None),
        registered(),
        e.AssistantSynced("agent-1", "assistant-agent-1", 1, "platform", (ref,), (), 5, None, None),
    )
    return clinic


async def test_a_halted_tool_is_named_and_its_assistants_are_not_said_to_want_none(
    booking: Clinic, tool_sync_db: DatabaseUrls
) -> None:
    await say(booking.log, e.ToolHalted(TOOL, "books twice"))
    code, text, _ = await command("coverage", database_url=tool_sync_db.service)
    lines = text.splitlines()
    assert code == 0
    assert "no assistant should book: there is none for whose clinic a tool is wanted" in lines
    assert "1 more have no tools, because none is wanted for their clinics" in lines
    assert f"{TOOL} is halted for every clinic: no assistant may have it" in lines
    body = result((await command("coverage", "--json", database_url=tool_sync_db.service))[1])
    assert (body["halted"], body["without_tools"], body["tools"]) == ([TOOL], 1, 0)


async def test_a_tool_that_is_resumed_is_not_named(booking: Clinic, tool_sync_db: DatabaseUrls) -> None:
    await say(booking.log, e.ToolHalted(TOOL, "books twice"), e.ToolResumed(TOOL, "mended"))
    code, text, _ = await command("coverage", database_url=tool_sync_db.service)
    assert code == 0
    assert "1 of 1 assistants that should book can (100.00 %)" in text
    assert "halted" not in text


def test_the_catalogue_tells_an_operator_how_a_halt_ends() -> None:
    entry = CATALOGUE[ErrorCode.TOOLS_HALTED]
    assert (entry.code, entry.who_acts) == ("TS-504", "platform operator")
    assert "`tool-sync blueprint resume TOOL`" in entry.what_to_do
