"""What operators did beside the log: who, what and why, in the transaction that did it, for ever."""

import json
from uuid import UUID

import asyncpg
import pytest

from devstack.databases import DatabaseUrls
from tool_sync.admin.actions import OperatorAction, note_action
from tool_sync.admin.dead_letters import acknowledge
from zerotouch_platform.operators import operator

from .command import command

LETTER = """
INSERT INTO dead_letters (topic, partition, "offset", key, headers, value, reason)
VALUES ('t', 0, $1, NULL, '[]', 'x', 'unreadable') RETURNING id
"""
LOSS = """
INSERT INTO lost_records (topic, partition, first_offset, end_offset, cause) VALUES ('t', 0, 1, 2, 'gone') RETURNING id
"""


async def test_what_is_done_beside_the_log_is_listed_with_who_and_why(tool_sync_db: DatabaseUrls) -> None:
    owner = await asyncpg.connect(tool_sync_db.owner)
    letter, loss = await owner.fetchval(LETTER, 1), await owner.fetchval(LOSS)
    url = tool_sync_db.service
    for words in (
        ("dead-letters", "acknowledge", str(letter)),
        ("dead-letters", "acknowledge", str(letter)),
        ("lost", "acknowledge", str(loss)),
    ):
        await command(*words, "--reason", "saved again", database_url=url)
    await command(
        "projection",
        "rebuild",
        "org_tools",
        "--reason",
        "a test",
        MIGRATE_DATABASE_URL=tool_sync_db.owner,
        database_url=url,
    )
    await owner.close()

    status, stdout, _ = await command("access", "list", "--json", database_url=url)
    document = json.loads(stdout)
    assert (status, document["complete"]) == (0, True)
    found = [(row["action"], row["object_id"], row["reason"], row["db_user"]) for row in document["result"]]
    assert found == [
        ("projection.rebuild", "org_tools", "a test", "tool_sync_owner"),
        ("lost_records.acknowledge", str(loss), "saved again", "tool_sync"),
        ("dead_letter.acknowledge", str(letter), "saved again", "tool_sync"),
    ]
    assert {row["principal"] for row in document["result"]} == {operator()}
    _, stdout, _ = await command("access", "list", "--who", "operator:nobody", database_url=url)
    assert stdout == ""
    _, stdout, _ = await command("access", "list", "--since", "1h", database_url=url)
    assert f"who: {operator()}, as tool_sync of the database" in stdout
    assert "why: saved again" in stdout


async def test_nothing_is_done_without_its_row(tool_sync_db: DatabaseUrls) -> None:
    owner = await asyncpg.connect(tool_sync_db.owner)
    service = await asyncpg.connect(tool_sync_db.service)
    letter = await owner.fetchval(LETTER, 1)
    await owner.execute("ALTER TABLE operator_actions ADD CONSTRAINT never CHECK (false) NOT VALID")
    with pytest.raises(asyncpg.CheckViolationError):
        await acknowledge(service, letter, "a test")
    assert await owner.fetchval("SELECT acknowledged_at FROM dead_letters WHERE id = $1", letter) is None
    await service.close()
    await owner.close()


@pytest.mark.parametrize("whose", ["owner", "service"])
async def test_nobody_changes_a_row(tool_sync_db: DatabaseUrls, whose: str) -> None:
    connection = await asyncpg.connect(getattr(tool_sync_db, whose))
    await note_action(connection, OperatorAction.LOG_FORK, str(UUID(int=1)), "a test")
    for statement in (
        "UPDATE operator_actions SET principal = 'somebody'",
        "DELETE FROM operator_actions",
        "TRUNCATE operator_actions",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    assert await connection.fetchval("SELECT count(*) FROM operator_actions") == 1
    await connection.close()
