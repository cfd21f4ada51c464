"""Names are where they are needed while a clinic is there, and nowhere once it was deleted."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from tests.support.eventually import eventually

from zerotouch_contracts.names import read_name
from zerotouch_contracts.topics import DISPLAY_NAMES, TOPICS

from .kafka_topics import every_record
from .world import PATIENCE_SECONDS, Connection, World

CLINIC: Final = ("Praxis Dr. Quillanarium", "Praxis Dr. Quillanarius")
AGENT: Final = ("Frau Vexbergine", "Frau Vexberger")
CANARIES: Final = ("Quillanari", "Vexberg")
AT_HOME: Final = {"organizations", "agents", "idempotency_keys"}
"""assistant-api's own tables: the rows, and answers that it may have to give again."""


async def test_a_deleted_clinic_leaves_no_name_behind(world: World) -> None:
    made = await world.http.post("/api/organizations", json={"name": CLINIC[0]}, headers={"Idempotency-Key": "canary"})
    org_id = UUID(made.json()["id"])
    await world.synced_agent(org_id, "desk", name=AGENT[0])
    await _named(world, org_id, {None: CLINIC[0], "desk": AGENT[0]})
    await world.http.patch(f"/api/organizations/{org_id}", json={"name": CLINIC[1]})
    await world.http.patch(f"/api/agents/desk?orgId={org_id}", json={"name": AGENT[1]})
    await _named(world, org_id, {None: CLINIC[1], "desk": AGENT[1]})
    found = (await world.tool_sync.get("/v1/orgs", params={"name": "QUILLANARIUS"})).json()
    assert found == {"organizations": [{"org_id": str(org_id), "name": CLINIC[1]}], "more": False}

    assert await _tables(world.assistants_db) <= AT_HOME
    assert await _tables(world.log_db) == {"display_names"}
    assert await _topics(world) == {DISPLAY_NAMES.name}
    assert _logs_and_spans(world) == []

    await world.http.delete(f"/api/organizations/{org_id}")
    await _named(world, org_id, {})

    async def closed() -> bool:
        return bool(await world.log_db.fetchval("SELECT closed FROM organizations WHERE id = $1", org_id))

    await eventually(closed, within_seconds=PATIENCE_SECONDS)
    assert await _tables(world.assistants_db) == set()
    assert await _tables(world.log_db) == set()
    assert await _topics(world) == set()
    assert _logs_and_spans(world) == []
    assert (await world.tool_sync.get("/v1/orgs", params={"name": "quillanari"})).json()["organizations"] == []
    assert (await world.tool_sync.get(f"/v1/orgs/{org_id}/tools")).json()["name"] == str(org_id)


async def _named(world: World, org_id: UUID, expected: Mapping[str | None, str]) -> None:
    """Wait until topic and table say this of the clinic, and its own messages are sent."""

    async def said() -> bool:
        newest: dict[bytes, Any] = {}
        for record in await every_record(world.stack.bootstrap_servers, DISPLAY_NAMES.name):
            newest[record.key] = record
        read = [read_name(record.key, record.value, record.headers) for record in newest.values()]
        topic = {s.named.agent_id: s.message.name for s in read if s.message and s.named.org_id == org_id}
        rows = await world.log_db.fetch("SELECT agent_id, name FROM display_names WHERE org_id = $1", org_id)
        waiting = await world.assistants_db.fetchval("SELECT count(*) FROM outbox WHERE org_id = $1", org_id)
        return topic == expected == {row["agent_id"] or None: row["name"] for row in rows} and not waiting

    await eventually(said, within_seconds=PATIENCE_SECONDS)


def _found(text: str) -> bool:
    return any(canary.casefold() in text.casefold() for canary in CANARIES)


async def _tables(connection: Connection) -> set[str]:
    """The tables with a row that holds a name."""
    tables = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    )
    found = set()
    for (table,) in tables:
        rows = await connection.fetch(f"SELECT t::text FROM {table} t")  # noqa: S608
        found |= {table for row in rows if _found(row[0])}
    return found


async def _topics(world: World) -> set[str]:
    """The topics with a name on a record, of a compacted one on the newest of a key."""
    found = set()
    for topic in TOPICS:
        records: Any = await every_record(world.stack.bootstrap_servers, topic.name)
        if "compact" in topic.configs["cleanup.policy"]:
            records = {record.key: record for record in records}.values()
        texts = (
            f"{record.key} {(record.value or b'').decode(errors='replace')} {record.headers}" for record in records
        )
        found |= {topic.name for text in texts if _found(text)}
    return found


def _logs_and_spans(world: World) -> list[str]:
    """Lines of log files, and spans, that hold a name."""
    files = [world.stack.surroundings.log_file, *(world.stack.options.state_dir / "logs").glob("*.log")]
    assert len(files) > 2, files
    lines = [line for file in files for line in file.read_text(errors="replace").splitlines() if _found(line)]
    return [*lines, *(span.name for span in world.collector.spans() if _found(span.raw.decode(errors="replace")))]
