"""What a clinic is told of changes to its tools: newest first, by pages, its own alone."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.queries.changes import changes_of

from .desk import BOOK, CANCEL, HASH, Desk

SOON = datetime(2026, 12, 1, tzinfo=UTC)


def of(tool: str, version: int) -> tuple[str, str, str, int, str]:
    """What every event of a tool begins with."""
    return "platform", tool, f"id-{tool}", version, HASH


async def lived(desk: Desk) -> None:
    """Another clinic's life beside this one's, and much that is no change of a tool."""
    life: tuple[e.Event, ...] = (
        e.DriftDetected("agent-1", "assistant-1", HASH),
        e.ToolRegistered(uuid4(), *of(CANCEL, 1), HASH, adopted=False),
        e.ToolUpdateStarted(uuid4(), *of(BOOK, 3)),
        e.ToolUpdated(uuid4(), *of(BOOK, 3), HASH),
        e.ToolSettingChanged(BOOK, False, "closed"),
        e.ToolRetired(*of(BOOK, 3), "setting", SOON),
        e.OrgSettled(1),
        e.ToolSettingRemoved(BOOK, None),
        e.ToolReinstated(*of(BOOK, 3)),
        e.ToolSettingChanged(BOOK, True),  # between an update and the version that it replaces
        e.ToolUpdated(uuid4(), *of(BOOK, 2), HASH),
        e.ToolVanished(*of(CANCEL, 1)),
        e.ToolRetired(*of(BOOK, 2), "tier", SOON),
        e.ToolDeleted(uuid4(), *of(BOOK, 2)),
    )
    other = uuid4()
    await desk.happened(e.OrgRegistered("basic"), org_id=other)
    for event in life:
        await desk.happened(event)
        await desk.happened(event, org_id=other)


def short(change: dict[str, Any]) -> tuple[Any, ...]:
    """What a change says, without its place."""
    return (
        change["tool"], change["kind"], change["version_before"], change["version"], change["reason"], change["by"],
    )  # fmt: skip


EXPECTED = [
    (BOOK, "deleted", None, 2, None, None),
    (BOOK, "retired", None, 2, "tier", None),
    (CANCEL, "vanished", None, 1, None, None),
    (BOOK, "updated", 3, 2, None, None),
    (BOOK, "switched_on", None, None, None, "test"),
    (BOOK, "reinstated", None, 3, None, None),
    (BOOK, "setting_removed", None, None, None, "test"),
    (BOOK, "retired", None, 3, "setting", None),
    (BOOK, "switched_off", None, None, "closed", "test"),
    (BOOK, "updated", 2, 3, None, None),
    (CANCEL, "registered", None, 1, None, None),
    (BOOK, "registered", None, 2, None, None),
]


async def test_changes_are_told_newest_first_with_versions_and_who_set_what(desk: Desk) -> None:
    await lived(desk)
    answer = await desk.get("changes")
    assert [short(change) for change in answer["changes"]] == EXPECTED
    assert answer["next_before"] is None
    positions = [change["position"] for change in answer["changes"]]
    assert positions == sorted(positions, reverse=True)
    await desk.put(False, "we do it ourselves", tool=CANCEL)
    (newest,) = (await desk.get("changes", params={"limit": "1"}))["changes"]
    assert (newest["kind"], newest["reason"], newest["by"].startswith("the clinic (")) == (
        "switched_off", "we do it ourselves", True,
    )  # fmt: skip


async def test_pages_join_to_the_whole_and_what_happens_meanwhile_moves_none(desk: Desk) -> None:
    await lived(desk)
    whole = (await desk.get("changes"))["changes"]
    for limit in (1, 2, 5, len(EXPECTED)):
        found: list[dict[str, Any]] = []
        query = {"limit": str(limit)}
        while True:
            page = await desk.get("changes", params=query)
            found += page["changes"]
            if page["next_before"] is None:
                break
            query["before"] = str(page["next_before"])
            await desk.put(len(found) % 2 == 0)
        assert found[-len(EXPECTED) :] == whole
        assert len(found) == len({change["position"] for change in found})
        assert len(page["changes"]) <= limit


async def test_a_clinic_without_changes_has_an_empty_list_and_a_stranger_has_none(desk: Desk) -> None:
    quiet = uuid4()
    await desk.happened(e.OrgRegistered("basic"), org_id=quiet)
    own = desk.signer.org_token(str(quiet))
    assert await desk.get("changes", org_id=quiet, token=own) == {"changes": [], "next_before": None}
    foreign = await desk.ask("GET", "changes", org_id=quiet)
    unknown = await desk.ask("GET", "changes", org_id=uuid4())
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert foreign.json() == unknown.json()
    assert (await desk.ask("GET", "changes", params={"before": "0"})).status_code == 422


async def test_row_level_security_alone_keeps_another_clinics_changes_out(desk: Desk, pool: db.Pool) -> None:
    await lived(desk)
    async with db.tenant_tx(pool, uuid4()) as connection:
        assert await changes_of(connection, desk.org_id, before=2**62, limit=100) is None
    async with db.tenant_tx(pool, desk.org_id) as connection:
        own = await changes_of(connection, desk.org_id, before=2**62, limit=100)
    assert own is not None
    assert len(own.changes) == len(EXPECTED)
