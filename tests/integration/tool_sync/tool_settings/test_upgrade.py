"""A database that has settings from before the table: the migration knows them, and every replica writes on."""

import asyncio

import asyncpg

from devstack.databases import DatabaseUrls
from tool_sync.domain import events as e
from tool_sync.log.projections import verify
from tool_sync.migrate import migrate

from .desk import BOOK, CANCEL, Desk

VERSION = "20261201000150"
AS_BEFORE = f"""
DROP TABLE org_tool_settings;
DROP FUNCTION fold_org_tool_settings(bigint, bigint);
DROP INDEX events_tool_changes;
DELETE FROM projections WHERE name = 'org_tool_settings';
UPDATE projections SET types = array_remove(types, 'ToolSettingRemoved') WHERE name = 'pending_syncs';
DELETE FROM schema_migrations WHERE version = '{VERSION}';
"""  # noqa: S608 - a constant


async def test_settings_from_before_are_in_the_table_after_the_migration(
    desk: Desk, tool_sync_db: DatabaseUrls
) -> None:
    await desk.put(False, "closed")
    await desk.put(True, tool=CANCEL)
    expected = [await desk.get(f"tools/{tool}/settings") for tool in (BOOK, CANCEL)]
    owner = await asyncpg.connect(tool_sync_db.owner)
    await owner.execute(AS_BEFORE)
    await migrate(tool_sync_db.owner)
    assert [await desk.get(f"tools/{tool}/settings") for tool in (BOOK, CANCEL)] == expected
    await desk.ask("DELETE", f"tools/{BOOK}/settings")
    for name in ("org_tool_settings", "pending_syncs"):
        assert (await verify(tool_sync_db.owner, name)).is_current
    await owner.close()


async def test_what_is_appended_while_the_migration_runs_is_folded_too(desk: Desk, tool_sync_db: DatabaseUrls) -> None:
    """The fold and the row in ``projections`` are one step under the append lock, whoever appends meanwhile."""
    owner = await asyncpg.connect(tool_sync_db.owner)
    await owner.execute(AS_BEFORE)

    async def write() -> None:
        for n in range(40):
            await desk.happened(e.ToolSettingChanged(f"tool-{n}", False))

    await asyncio.gather(migrate(tool_sync_db.owner), write())
    verified = await verify(tool_sync_db.owner, "org_tool_settings")
    assert (verified.is_current, verified.rows) == (True, 40)
    await owner.close()
