"""INSERT and UPDATE of ``system_tools`` as operators type them: what they answer, what they refuse, what they leave."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls
from tool_sync.domain.events import RolloutPaused, RolloutStarted
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.log.projections import rebuild, verify

from ..ordering import say, start
from .context import EVERYBODY
from .limits import BOOKING, CANCELLING
from .operators import DESCRIBE, INSERT, Operator, at_terminal, grant, requests
from .world import World

SET = "UPDATE system_tools SET"
OF_BOOKING = f"WHERE name = '{BOOKING}'"


@pytest.fixture
async def maria(world: World) -> AsyncIterator[Operator]:
    async with at_terminal(await grant(world, "maria")) as operator:
        yield operator


async def row(world: World, name: str = BOOKING) -> dict[str, object] | None:
    found = await world.pool.fetchrow("SELECT * FROM system_tools WHERE name = $1", name)
    return None if found is None else dict(found)


async def test_an_update_is_answered_as_one_and_is_a_request(world: World, maria: Operator) -> None:
    before, head = await row(world), await world.pool.fetchval("SELECT max(position) FROM events")
    assert await maria.types(DESCRIBE) == "UPDATE 1"
    (request,) = await requests(world)
    assert (request["who"], request["statement"], request["tool"]) == ("maria", "UPDATE", BOOKING)
    assert (request["state"], request["orders"], request["base_version"]) == ("requested", "version", 2)
    assert request["document"]["schema"]["description"] == "Says that it is looking."
    assert request["document"]["webhook_url"] is None, "the address is the service's setting, and nobody named it"
    assert f"request {request['id']}: {BOOKING} is checked, published" in maria.notices[0]
    assert "tool-sync blueprint requests" in maria.notices[0]
    assert await row(world) == before, "the row is what the log says"
    assert await world.pool.fetchval("SELECT max(position) FROM events") == head


async def test_an_insert_is_answered_as_one_and_the_row_comes_with_the_version(world: World, maria: Operator) -> None:
    returned = await maria.connection.fetchrow(f"{INSERT} RETURNING name, tier, enabled, id")
    assert tuple(returned or ()) == ("sendDirections", "basic", True, None)
    assert await row(world, "sendDirections") is None
    (request,) = await requests(world)
    document = request["document"]
    assert (document["contract"], document["timeout_seconds"], document["messages"]) == (0, 20, [])
    assert await maria.is_refused(INSERT) == [
        f"request {request['id']} of sendDirections, by maria, is not done; wait for it, or write all changes in one "
        "statement"
    ]


async def test_a_statement_that_is_rolled_back_leaves_nothing(world: World, maria: Operator) -> None:
    transaction = maria.connection.transaction()
    await transaction.start()
    assert await maria.types(DESCRIBE) == "UPDATE 1"
    assert await maria.types(INSERT) == "INSERT 0 1"
    await transaction.rollback()
    assert await requests(world) == []
    assert await maria.types(DESCRIBE) == "UPDATE 1"


async def test_a_bad_statement_is_refused_with_every_reason(world: World, maria: Operator) -> None:
    said = await maria.is_refused(
        f"{SET} schema = jsonb_set(schema, '{{description}}', '\"\"'), tier = 'profesional', timeout_seconds = 0,"
        f" webhook_url = 'http://10.0.0.1/', version = 9 {OF_BOOKING}"
    )
    assert said == [
        "version: is counted by tool-sync; leave it out",
        f"to order another version: tool-sync rollout plan {BOOKING}@9",
        "schema.description: says nothing; write 1 to 999",
        "tier: 'profesional' is no tier; write 'professional'",
        "timeout_seconds: is outside of what Vapi takes; write 1 to 300",
        "webhook_url: is named, and assistant-api answers; leave it out, or write contract = 0",
        "webhook_url: is not encrypted: patients' data go there; write https",
        "webhook_url: leads to 10.0.0.1, which is private; write a host whose every address is public",
    ]
    assert await requests(world) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("id = 7", "id: is counted by tool-sync; leave it out"),
        ("definition_hash = 'x'", "definition_hash: is counted by tool-sync; leave it out"),
        ("position = 1", "position: is counted by tool-sync; leave it out"),
        ("updated_at = now()", "updated_at: is counted by tool-sync; leave it out"),
        ("name = 'book'", "name: a tool keeps its name; INSERT another one, and set enabled = false here"),
        ("halted = true", f"halted: is a command; write tool-sync blueprint halt {BOOKING} --reason …"),
        ("enabled = NULL", "enabled: must be true or false; write one of the two"),
    ],
)
async def test_what_only_tool_sync_writes_is_refused_and_says_how(
    world: World, maria: Operator, change: str, said: str
) -> None:
    assert await maria.is_refused(f"{SET} {change} {OF_BOOKING}") == [said]
    assert await requests(world) == []


async def test_a_tool_is_never_deleted_and_the_table_never_emptied(world: World, maria: Operator) -> None:
    with pytest.raises(asyncpg.RestrictViolationError, match="never deleted") as caught:
        await maria.types(f"DELETE FROM system_tools {OF_BOOKING}")  # noqa: S608
    assert "enabled = false" in str(caught.value.hint)
    assert f"blueprint withdraw {BOOKING}@2" in str(caught.value.hint)
    with pytest.raises(asyncpg.PostgresError):
        await maria.types("TRUNCATE system_tools")
    assert await row(world) is not None


async def test_each_row_is_a_request_of_its_own_or_the_statement_is_refused_whole(
    world: World, maria: Operator
) -> None:
    assert await maria.types(f"{SET} tier = 'professional'") == "UPDATE 3"
    asked = {request["tool"]: request["orders"] for request in await requests(world)}
    assert asked == {BOOKING: "version", CANCELLING: None, "rescheduleAppointment": None}, "what is off stays off"
    await world.as_owner("DELETE FROM tool_requests")

    assert await maria.is_refused(f"{SET} tier = CASE name WHEN '{CANCELLING}' THEN 'gold' ELSE 'enterprise' END")
    assert await requests(world) == []


async def test_a_switch_is_an_order_without_a_version(world: World, maria: Operator) -> None:
    assert await maria.types(f"{SET} enabled = false {OF_BOOKING}") == "UPDATE 1"
    assert await maria.types(f"{SET} enabled = true WHERE name = '{CANCELLING}'") == "UPDATE 1"
    assert [(one["orders"], one["document"]) for one in await requests(world)] == [("none", None), ("version", None)]


async def test_what_changes_nothing_asks_nothing(world: World, maria: Operator) -> None:
    assert await maria.types(f"{SET} tier = tier, enabled = enabled, schema = schema {OF_BOOKING}") == "UPDATE 1"
    assert "nothing is changed" in maria.notices[0]
    assert await maria.types(f"{SET} tier = 'basic' WHERE name = 'nobody'") == "UPDATE 0"
    assert await requests(world) == []


async def test_while_a_rollout_of_the_tool_is_open_the_statement_is_refused_as_a_start_is(
    world: World, maria: Operator
) -> None:
    await world.clinics(1)
    for paused in (False, True):
        rollout_id = await start(world.log, BOOKING, 2)
        if paused:
            await say(world.log, RolloutPaused(rollout_id, BOOKING, "a test's"))
        plan = await world.plan(2)
        refused = await world.apply(plan.order.rollout_id)
        assert isinstance(refused, Refused)
        assert await maria.is_refused(DESCRIBE) == [refused.why]
        await world.command(rollout_id, "abort")
    assert await maria.types(DESCRIBE) == "UPDATE 1"


async def test_a_halted_tool_is_resumed_first(world: World, maria: Operator) -> None:
    from tool_sync.rollouts.publish import halted

    await world.decide(BOOKING, lambda fleet: halted(fleet, BOOKING, "a test's"))
    assert await maria.is_refused(DESCRIBE) == [
        f"{BOOKING} is halted; write tool-sync blueprint resume {BOOKING} --reason … first"
    ]


async def test_copy_and_merge_are_taken_as_inserts_and_updates(world: World, maria: Operator) -> None:
    schema = f'{{"description": "Sends.", "parameters": {{"type": "object", "properties": {{}}}}}}'  # noqa: F541
    copied = await maria.connection.copy_records_to_table(
        "system_tools", records=[("sendMap", schema, "https://a.example/m")], columns=["name", "schema", "webhook_url"]
    )
    assert copied == "COPY 1"
    merged = await maria.types(
        f"MERGE INTO system_tools t USING (VALUES ('{BOOKING}')) AS v (name) ON t.name = v.name "
        "WHEN MATCHED THEN UPDATE SET tier = 'professional'"
    )
    assert merged == "MERGE 1"
    assert [(one["tool"], one["statement"]) for one in await requests(world)] == [
        ("sendMap", "INSERT"),
        (BOOKING, "UPDATE"),
    ]


@pytest.mark.parametrize("clause", ["ON CONFLICT (name) DO UPDATE SET tier = 'basic'", "ON CONFLICT DO NOTHING"])
async def test_an_upsert_never_passes_for_what_it_is_not(world: World, maria: Operator, clause: str) -> None:
    insert = INSERT.replace("sendDirections", BOOKING)
    with pytest.raises((asyncpg.CheckViolationError, asyncpg.InvalidColumnReferenceError)):
        await maria.types(f"{insert} {clause}")
    assert await requests(world) == []


async def test_of_two_operators_at_once_the_second_is_told_of_the_first(world: World, maria: Operator) -> None:
    url = await grant(world, "jonas")
    for commits in (False, True):
        async with at_terminal(url) as jonas:
            transaction = maria.connection.transaction()
            await transaction.start()
            await maria.types(DESCRIBE)
            waiting = asyncio.create_task(jonas.types(f"{SET} tier = 'professional' {OF_BOOKING}"))

            async def waits() -> bool:
                return bool(await world.as_owner("SELECT true FROM pg_locks WHERE NOT granted AND classid = 7313"))

            await eventually(waits, within_seconds=5)
            if commits:
                await transaction.commit()
                with pytest.raises(asyncpg.CheckViolationError, match="by maria, is not done"):
                    await waiting
            else:
                await transaction.rollback()
                assert await waiting == "UPDATE 1"
        if not commits:
            await world.as_owner("DELETE FROM tool_requests")
    assert [one["who"] for one in await requests(world)] == ["maria"]


async def test_an_operator_who_thinks_in_an_open_transaction_holds_up_nobody(world: World, maria: Operator) -> None:
    async with maria.connection.transaction():
        await maria.types(DESCRIBE)
        await maria.types(INSERT)
        async with asyncio.timeout(5):
            version = await world.publish("Somebody else's.")
            await say(world.log, RolloutStarted("r-1", BOOKING, version, (EVERYBODY,), "a test's", None))
    assert len(await requests(world)) == 2


async def test_who_has_no_right_writes_nothing_by_no_way(world: World, maria: Operator) -> None:
    statements = [
        "UPDATE fleet_tools SET tier = 'basic'",
        "INSERT INTO tool_requests (who, statement, tool, orders) VALUES ('x', 'INSERT', 'x', 'none')",
        "UPDATE tool_requests SET state = 'checked'",
        "SELECT tool_problems('{}')",
        "SELECT fold_fleet_tools(0, 1)",
        "SET session_replication_role = replica",
    ]
    for statement in statements:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await maria.types(statement)
    only_reads = "GRANT CONNECT ON DATABASE {database} TO {role}; GRANT SELECT ON system_tools TO {role}"
    async with at_terminal(await grant(world, "reader", only_reads)) as reader:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.types(DESCRIBE)
    async with world.pool.acquire() as service, service.transaction():
        await service.execute("SET LOCAL ROLE tool_sync_tenant")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(DESCRIBE)


async def test_tables_of_an_operators_own_are_not_taken_for_ours(world: World, maria: Operator) -> None:
    await world.as_owner(
        f'GRANT TEMPORARY ON DATABASE "{await world.pool.fetchval("SELECT current_database()")}" TO maria'
    )
    await maria.types("CREATE TEMPORARY TABLE tool_requests (id int); CREATE TEMPORARY TABLE fleet_tools (id int)")
    await maria.types("SET search_path = pg_temp, public")
    assert await maria.types(DESCRIBE) == "UPDATE 1"
    assert len(await requests(world)) == 1


async def test_the_owner_the_service_and_a_role_that_was_taken_on_are_told_apart(
    world: World, tool_sync_db: DatabaseUrls, maria: Operator
) -> None:
    async with at_terminal(tool_sync_db.owner) as owner:
        await owner.types(DESCRIBE)
    async with at_terminal(tool_sync_db.service) as service:
        await service.types(f"{SET} enabled = true WHERE name = '{CANCELLING}'")
    await world.as_owner("GRANT tool_sync_service TO maria")
    try:
        await maria.types("SET ROLE tool_sync_service")
        await maria.types(INSERT)
    finally:
        await world.as_owner("REVOKE tool_sync_service FROM maria")
    assert [one["who"] for one in await requests(world)] == [
        "tool_sync_owner", "tool_sync", "maria as tool_sync_service"
    ]  # fmt: skip


async def test_a_restored_or_replicated_table_asks_for_nothing(world: World, tool_sync_db: DatabaseUrls) -> None:
    """What pg_restore --data-only, a logical subscriber and a rebuild do: they write tables, and no views."""
    admin = await asyncpg.connect(tool_sync_db.admin)
    try:
        dumped = [tuple(one) for one in await admin.fetch("SELECT * FROM fleet_tools")]
        await admin.execute("DELETE FROM fleet_tools")
        await admin.copy_records_to_table("fleet_tools", records=dumped)
        await admin.execute("SET session_replication_role = replica")
        await admin.execute(INSERT)
        await admin.execute("UPDATE fleet_tools SET tier = 'enterprise'")
    finally:
        await admin.close()
    assert (await rebuild(tool_sync_db.owner, "fleet_tools")).differing == 3
    assert (await verify(tool_sync_db.owner, "fleet_tools")).is_current
    assert await requests(world) == []
