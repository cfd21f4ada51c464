"""An org's tools as they were: at every position what the projection held then."""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from pydantic_core import from_json, to_json
from typer.testing import CliRunner

from devstack.databases import DatabaseUrls
from tool_sync.cli.app import app
from tool_sync.domain import events as e
from tool_sync.queries import org_tools

from .clinic import HASH, TOOL, Clinic, registered, tool_args

SOON = datetime(2026, 12, 1, tzinfo=UTC)
LIFE: tuple[e.Event, ...] = (
    e.OrgRegistered("basic"),
    registered(),
    registered("cancelAppointment", "tool-2"),
    e.ToolUpdated(uuid4(), *tool_args(version=2), HASH),
    e.ToolVanished(*tool_args("cancelAppointment", "tool-2")),
    e.ToolSettingChanged(TOOL, False),
    e.ToolRetired(*tool_args(version=2), "setting", SOON),
    registered("cancelAppointment", "tool-3"),
    e.ToolReinstated(*tool_args(version=2)),
    e.ToolRetired(*tool_args(version=2), "tier", SOON),
    e.ToolDeleted(uuid4(), *tool_args(version=2)),
    registered(tool_id="tool-4", version=3),
)


async def lived(clinic: Clinic) -> list[org_tools.OrgTools]:
    """The clinic's tools after each event of its life, with another clinic's life in between."""
    other, found = uuid4(), []
    for event in LIFE:
        await clinic.happened(event)
        await clinic.happened(event, org_id=other)
        async with clinic.pool.acquire() as connection:
            tools = await org_tools.tools_of(connection, clinic.org_id)
        assert tools is not None
        found.append(tools)
    return found


async def times(clinic: Clinic) -> list[datetime]:
    """When each event of the clinic was recorded."""
    query = "SELECT recorded_at FROM events WHERE org_id = $1 ORDER BY position"
    return [row["recorded_at"] for row in await clinic.pool.fetch(query, clinic.org_id)]


async def test_at_each_events_time_the_tools_are_what_the_table_held_then(clinic: Clinic) -> None:
    held = await lived(clinic)
    assert len({repr(tools.tools) for tools in held}) > 8  # it did change
    for at, tools in zip(await times(clinic), held, strict=True):
        answer = await clinic.ask(f"/v1/orgs/{clinic.org_id}/tools", at=at.isoformat())
        assert answer.status_code == 200, answer.text
        assert answer.json() == from_json(to_json(asdict(tools)))
    latest = await clinic.ask(f"/v1/orgs/{clinic.org_id}/tools", at="2999-01-01T00:00:00")
    assert latest.json() == (await clinic.ask(f"/v1/orgs/{clinic.org_id}/tools")).json()


async def test_the_fold_and_the_look_into_the_past_read_the_same_types(
    admin: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    types = await admin.fetchval("SELECT types FROM projections WHERE name = 'org_tools'")
    assert {name for cls in e.Event.__args__ if f"'{(name := cls.__name__)}'" in org_tools._TOOLS_AT} == set(types)


async def test_before_the_first_event_nothing_is_known_and_its_time_is_said(clinic: Clinic) -> None:
    await lived(clinic)
    first = (await times(clinic))[0]
    early = (first - timedelta(microseconds=1)).isoformat()
    answer = await clinic.ask(f"/v1/orgs/{clinic.org_id}/tools", at=early)
    assert answer.status_code == 404
    assert answer.json()["detail"] == (
        f"organization {clinic.org_id} has no event before {first:%Y-%m-%dT%H:%M:%S.%fZ}"
    )


async def test_another_clinics_past_does_not_exist(clinic: Clinic) -> None:
    await lived(clinic)
    stranger = clinic.signer.org_token(str(uuid4()))
    now = datetime.now(UTC).isoformat()
    foreign = await clinic.ask(f"/v1/orgs/{clinic.org_id}/tools", token=stranger, at=now)
    unknown = await clinic.ask(f"/v1/orgs/{uuid4()}/tools", at=now)
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    own = clinic.signer.org_token(str(clinic.org_id))
    assert (await clinic.ask(f"/v1/orgs/{clinic.org_id}/tools", token=own, at=now)).json()["as_of_position"] == 23


@pytest.mark.parametrize("at", ["yesterday", "2026-13-40T00:00:00Z"])
async def test_a_time_that_is_none_is_refused(clinic: Clinic, at: str) -> None:
    assert (await clinic.ask(f"/v1/orgs/{clinic.org_id}/tools", at=at)).status_code == 422


async def test_the_command_line_shows_the_past_too(clinic: Clinic, tool_sync_db: DatabaseUrls) -> None:
    held = await lived(clinic)
    first, *_, fifth = (await times(clinic))[:5]

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["tools", *arguments, "--database-url", tool_sync_db.service])

    stamp = f"{fifth:%Y-%m-%dT%H:%M:%S.%fZ}"
    done = await asyncio.to_thread(run, str(clinic.org_id), "--at", stamp, "--json")
    assert (done.exit_code, from_json(done.stdout)["result"]) == (0, from_json(to_json(asdict(held[4]))))
    done = await asyncio.to_thread(run, str(clinic.org_id), "--at", stamp)
    assert "as of position 9" in done.stdout
    early = f"{first - timedelta(seconds=1):%Y-%m-%dT%H:%M:%S.%fZ}"
    done = await asyncio.to_thread(run, str(clinic.org_id), "--at", early)
    assert (done.exit_code, f"no event before {first:%Y-%m-%dT%H:%M:%S.%fZ}" in done.stderr) == (2, True)
    done = await asyncio.to_thread(run, str(uuid4()), "--at", stamp)
    assert (done.exit_code, "there is no organization" in done.stderr) == (2, True)
