"""What a clinic is told, and when: ten minutes without booking, that it works again, a tool that changed; each once."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.notices import watching
from tool_sync.notices.watching import CANNOT_FOR, EACH_AFTER, GAP_MAX, Watcher, look_at, tell_changes

from ..explain.clinic import HASH, TOOL, Clinic, published, registered
from ..explain.test_coverage import failed, save, synced
from .conftest import Desk

URL = "http://127.0.0.1:9/"


class Told:
    """A clinic that can book, and what it is told."""

    def __init__(self, desk: Desk, org_id: UUID) -> None:
        self.desk, self.org_id = desk, org_id
        self.clinic = Clinic(desk.log, desk.pool, None, None, org_id)  # type: ignore[arg-type]
        self.watcher = Watcher(desk.pool)

    async def happened(self, *events: e.Event) -> None:
        await self.clinic.happened(*events)

    async def look(self, *, after: timedelta = EACH_AFTER) -> None:
        """Look, so long after the look before."""
        await self.desk.pool.execute(
            """UPDATE notice_endpoints
                  SET looked_at = looked_at - $1::interval, cannot_since = cannot_since - $1::interval""",
            after,
        )
        await self.watcher.look()

    async def notices(self, *types: str) -> list[dict[str, Any]]:
        """What it is told, in order; of these types."""
        rows = await self.desk.pool.fetch("SELECT body FROM notices WHERE org_id = $1 ORDER BY id", self.org_id)
        found = [json.loads(row["body"]) for row in rows]
        return [one for one in found if one["type"] in types] if types else found

    async def types(self) -> list[str]:
        return [one["type"] for one in await self.notices()]


@pytest.fixture
async def told(desk: Desk) -> Told:
    org_id = await desk.clinic(URL)
    made = Told(desk, org_id)
    await made.happened(published(), save(), registered(), synced("agent-1", "tool-1"))
    await made.watcher.look()
    await desk.pool.execute("DELETE FROM notices")
    return made


async def test_a_clinic_that_cannot_book_for_ten_minutes_is_told_and_that_it_works_again(told: Told) -> None:
    await told.look()
    assert await told.types() == []
    await told.happened(failed("agent-1", "TS-304"))
    for _ in range(10):
        await told.look()
        assert await told.types() == [], "not before its time"
    await told.look()
    (one,) = await told.notices()
    assert (one["type"], one["data"]["cannot_book"], one["data"]["assistants"]) == ("clinic.cannot_book", 1, 1)
    assert one["data"]["named"] == [{"agent_id": "agent-1", "code": "TS-304"}]
    for _ in range(20):
        await told.look()
    assert await told.types() == ["clinic.cannot_book"], "it is told once"
    await told.happened(synced("agent-1", "tool-1"))
    await told.look()
    await told.look()
    assert await told.types() == ["clinic.cannot_book", "clinic.can_book"]
    assert (await told.notices())[1]["data"]["cannot_since"] is not None
    await told.happened(failed("agent-1", "TS-301"))
    for _ in range(12):
        await told.look()
    assert await told.types() == ["clinic.cannot_book", "clinic.can_book", "clinic.cannot_book"]


async def test_what_is_over_before_ten_minutes_is_not_told(told: Told) -> None:
    for _ in range(3):
        await told.happened(failed("agent-1", "TS-304"))
        for _ in range(8):
            await told.look()
        await told.happened(synced("agent-1", "tool-1"))
        await told.look()
    assert await told.types() == []


async def test_where_nobody_has_looked_for_long_the_ten_minutes_begin_anew(told: Told) -> None:
    await told.happened(failed("agent-1", "TS-304"))
    await told.look()
    await told.look(after=CANNOT_FOR + GAP_MAX)
    assert await told.types() == [], "nobody knows what was between"
    for _ in range(10):
        await told.look()
    assert await told.types() == ["clinic.cannot_book"]
    await told.look(after=timedelta(hours=5))
    await told.happened(synced("agent-1", "tool-1"))
    await told.look(after=timedelta(hours=5))
    assert await told.types() == ["clinic.cannot_book", "clinic.can_book"], "what was told is ended all the same"


async def test_a_tool_that_changed_is_told_once_and_in_order_and_what_the_clinic_has_set_is_not(told: Told) -> None:
    await told.happened(
        e.ToolUpdated(uuid4(), "platform", TOOL, "tool-1", 2, "e" * 64, "e" * 64, version_before=1, hash_before=HASH),
        e.ToolSettingChanged(TOOL, False, "closed today"),
        e.ToolRetired("platform", TOOL, "tool-1", 2, "e" * 64, "setting", None),  # type: ignore[arg-type]
    )
    await told.look()
    await told.look()
    changed = [one["data"] for one in await told.notices("tool.changed")]
    assert [(one["tool"], one["change"], one["version"]) for one in changed] == [
        (TOOL, "updated", 2),
        (TOOL, "retired", 2),
    ]
    assert changed[0]["version_before"] == 1
    assert "closed today" not in json.dumps(await told.notices())


async def test_what_was_before_a_clinic_wanted_notices_is_not_told(desk: Desk) -> None:
    org_id = uuid4()
    clinic = Clinic(desk.log, desk.pool, None, None, org_id)  # type: ignore[arg-type]
    await clinic.happened(published(), e.OrgRegistered("basic"), save(), registered())
    await desk.clinic(URL, org_id=org_id)
    await Watcher(desk.pool).look()
    assert await desk.value("SELECT count(*) FROM notices") == 0


async def test_two_that_look_at_once_tell_it_once(told: Told) -> None:
    await told.happened(failed("agent-1", "TS-304"), registered(tool_id="tool-2"))
    await told.look()
    await told.desk.pool.execute("UPDATE notice_endpoints SET cannot_since = cannot_since - interval '11 minutes'")

    async def once() -> None:
        async with db.transaction(told.desk.pool) as connection:
            await look_at(connection, told.org_id)
        async with db.transaction(told.desk.pool) as connection:
            await tell_changes(connection, told.org_id)

    await asyncio.gather(*(once() for _ in range(5)))
    assert sorted(await told.types()) == ["clinic.cannot_book", "tool.changed"]


@pytest.mark.parametrize("where", ["_LOOKED", "_TELL_UP_TO"])
async def test_a_process_that_dies_before_it_noted_how_far_it_is_has_told_nothing(
    told: Told, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    await told.happened(failed("agent-1", "TS-304"))
    await told.look()
    await told.desk.pool.execute("UPDATE notice_endpoints SET cannot_since = cannot_since - interval '11 minutes'")
    await told.happened(registered(tool_id="tool-2"))
    with monkeypatch.context() as patch:
        patch.setattr(watching, where, getattr(watching, where) + " RETURNING 1 / 0")
        with capture_logs() as logs:
            await told.look()
        assert [one["alarm"] for one in logs] == [True]
    await told.look()
    await told.look()
    assert sorted(await told.types()) == ["clinic.cannot_book", "tool.changed"]


async def test_a_clinic_that_is_deleted_is_told_nothing(told: Told) -> None:
    await told.happened(failed("agent-1", "TS-304"), e.OrgClosed())
    await told.look()
    assert await told.desk.value("SELECT count(*) FROM notice_endpoints") == 0
    assert await told.types() == []


async def test_a_body_has_these_fields_and_no_others(told: Told) -> None:
    """None of them holds a name, a caller's words or Vapi's."""
    await told.happened(failed("agent-1", "TS-304"), registered(tool_id="tool-2"))
    await told.look()
    for _ in range(11):
        await told.look()
    await told.happened(synced("agent-1", "tool-2"))
    await told.look()
    fields = {one["type"]: sorted(one["data"]) for one in await told.notices()}
    assert fields == {
        "tool.changed": ["change", "org_id", "tool", "version", "version_before"],
        "clinic.cannot_book": ["assistants", "cannot_book", "named", "org_id", "since"],
        "clinic.can_book": ["assistants", "cannot_since", "org_id"],
    }
