"""``tool-sync blueprint list | show | diff`` over what the log holds."""

import re
from typing import Any
from uuid import UUID, uuid4

from tool_sync.domain.events import BlueprintPublished
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent
from tool_sync.settings import Settings
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import (
    BOOK_CLINIC_APPOINTMENT,
    BOOK_CLINIC_APPOINTMENT_V2,
    CANCEL_APPOINTMENT,
    ToolDefinition,
)

from ...golden.reading import assert_result
from .command import command, result

META = Meta("cause", "correlation", None, "test", "1")
INSTALLATION = UUID("0b7e3c1e-3a64-4b3e-9a55-5d4f0a6c9a10")
BOOKING = BOOK_CLINIC_APPOINTMENT.name


def published(definition: ToolDefinition, url: str, *, with_document: bool = True) -> BlueprintPublished:
    """A version as a release publishes it. What other tests pin is left out of the document."""
    document: dict[str, Any] = definition.vapi_payload(UUID(int=0), server_url=url, installation_id=INSTALLATION)
    document["parameters"] = document["parameters"][:2]
    return BlueprintPublished(
        definition.name, definition.version, definition.tier, definition.asynchronous, canonical_hash(document),
        document if with_document else None,
    )  # fmt: skip


async def publish(log: EventLog, *events: BlueprintPublished) -> None:
    for event in events:
        await log.append(AppendRequest(f"blueprint-{event.name}", None, None, (NewEvent(uuid4(), event),), META))


def lines(stdout: str) -> list[str]:
    """What was printed, without when it was."""
    return [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "(time)", line) for line in stdout.splitlines()]


async def test_what_was_published_is_listed_shown_and_compared(settings: Settings, event_log: EventLog) -> None:
    url = settings.database_url
    await publish(
        event_log,
        published(BOOK_CLINIC_APPOINTMENT, "https://old.example/tools"),
        published(BOOK_CLINIC_APPOINTMENT_V2, "https://api.example/tools"),
        published(
            BOOK_CLINIC_APPOINTMENT, "https://api.example/tools"
        ),  # the same version at another address: it counts
        published(CANCEL_APPOINTMENT, "https://api.example/tools", with_document=False),
    )
    printed = {}
    for words in ("list", f"show {BOOKING}", f"show {BOOKING}@1", f"diff {BOOKING} 1 2", f"diff {BOOKING} 1 1"):
        status, stdout, stderr = await command("blueprint", *words.split(), database_url=url)
        assert (status, stderr) == (0, ""), words
        printed[words] = lines(stdout)

    newest = published(BOOK_CLINIC_APPOINTMENT, "https://api.example/tools")
    _, stdout, _ = await command("blueprint", "list", "--json", database_url=url)
    found = [(one["name"], one["version"], one["position"], one["definition_hash"]) for one in result(stdout)]
    assert found[0] == (BOOKING, 1, 3, newest.definition_hash)
    assert [one[:3] for one in found[1:]] == [(BOOKING, 2, 2), (CANCEL_APPOINTMENT.name, 1, 4)]
    _, stdout, _ = await command("blueprint", "show", f"{BOOKING}@1", "--json", database_url=url)
    assert result(stdout)["document"] == newest.document
    _, stdout, _ = await command("blueprint", "diff", BOOKING, "1", "2", "--json", database_url=url)
    differences = " ".join(result(stdout)["words"])
    assert " ".join(" ".join(printed[f"diff {BOOKING} 1 2"]).split()).startswith(differences)
    assert "async: true → false" in result(stdout)["words"]
    assert_result("blueprint_commands", printed)


async def test_what_is_not_there_is_said_with_what_is(settings: Settings, event_log: EventLog) -> None:
    url = settings.database_url
    await publish(
        event_log,
        published(BOOK_CLINIC_APPOINTMENT_V2, "https://api.example/tools"),
        published(CANCEL_APPOINTMENT, "https://api.example/tools", with_document=False),
    )
    for words, said in {
        "show other": f"there is no tool other; the tools are {BOOKING}, cancelAppointment",
        f"show {BOOKING}@9": f"there is no document of version 9 of {BOOKING}; there is 2",
        "show cancelAppointment": "there is no document of version 1 of cancelAppointment; no version has one",
        f"show {BOOKING}@": f"'{BOOKING}@' names no version; write the tool's name, or {BOOKING}@1",
        f"show {BOOKING}@two": f"'{BOOKING}@two' names no version; write the tool's name, or {BOOKING}@1",
        f"diff {BOOKING} 1 2": f"there is no document of version 1 of {BOOKING}; there is 2",
    }.items():
        status, stdout, stderr = await command("blueprint", *words.split(), database_url=url)
        assert (status, stdout, stderr) == (2, "", f"tool-sync: {said}\n"), words
