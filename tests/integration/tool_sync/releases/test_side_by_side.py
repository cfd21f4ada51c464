"""Two releases on one log: the older one stops at what it does not know, and neither loses anything of the other."""

import asyncio
from uuid import UUID, uuid4

import asyncpg

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.domain.toolset import FOLD
from tool_sync.log import EventLog, Loaded, UnknownEvent
from tool_sync.log.projections import rebuild, verify
from tool_sync.outcomes.relay.relay import next_page
from zerotouch_contracts.envelope import subject_of

from .newer_release import ClinicRenamed, arrived, did, newer_release, save, stored, synced, write

# What the newer release's migration adds: a projection that reads a type of its own, and one of both releases.
MIGRATION = """
CREATE TABLE clinic_names (org_id uuid PRIMARY KEY, name text, newest_revision bigint, position bigint NOT NULL);
ALTER TABLE clinic_names OWNER TO {owner};
CREATE FUNCTION fold_clinic_names(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO clinic_names AS c (org_id, name, newest_revision, position)
  SELECT e.org_id,
         coalesce((array_agg(e.data->>'name' ORDER BY e.position DESC) FILTER (WHERE e.type = 'ClinicRenamed'))[1],
                  p.name),
         coalesce((array_agg((e.data->>'revision')::bigint ORDER BY e.position DESC)
                     FILTER (WHERE e.type = 'SyncRequested'))[1], p.newest_revision),
         max(e.position)
  FROM events e LEFT JOIN clinic_names p ON p.org_id = e.org_id
  WHERE e.position > from_position AND e.position <= to_position AND e.type IN ('ClinicRenamed', 'SyncRequested')
  GROUP BY e.org_id, p.name, p.newest_revision
  ON CONFLICT (org_id) DO UPDATE
    SET name = excluded.name, newest_revision = excluded.newest_revision, position = excluded.position
    WHERE c.position < excluded.position;
END $$;
ALTER FUNCTION fold_clinic_names(bigint, bigint) OWNER TO {owner};
INSERT INTO projections (name, types) VALUES ('clinic_names', '{{ClinicRenamed,SyncRequested}}');
"""
EXPECTED = """
SELECT org_id,
       (SELECT n.data->>'name' FROM events n WHERE n.org_id = e.org_id AND n.type = 'ClinicRenamed'
         ORDER BY position DESC LIMIT 1) AS name,
       (SELECT (s.data->>'revision')::bigint FROM events s WHERE s.org_id = e.org_id AND s.type = 'SyncRequested'
         ORDER BY position DESC LIMIT 1) AS newest_revision,
       max(position) AS position
  FROM events e WHERE type IN ('ClinicRenamed', 'SyncRequested') GROUP BY org_id ORDER BY org_id
"""
ROUNDS = 20


async def migrate(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    """The newer release's migration; it runs first, as at every start of a service."""
    owner = await admin.fetchval("SELECT quote_ident(tableowner) FROM pg_tables WHERE tablename = 'events'")
    await admin.execute(MIGRATION.format(owner=owner))


async def misses_nothing(admin: "asyncpg.Connection[asyncpg.Record]") -> int:
    """The newer projection is what the log says, up to its head; the number of its rows."""
    rows = await admin.fetch("SELECT * FROM clinic_names ORDER BY org_id")
    assert rows == await admin.fetch(EXPECTED)
    head = await admin.fetchval("SELECT max(position) FROM events")
    assert {row["position"] for row in await admin.fetch("SELECT position FROM projection_positions")} == {head}
    return len(rows)


async def test_a_projection_of_the_newer_release_misses_no_event_of_the_older_one(
    log: EventLog, pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]", tool_sync_db: DatabaseUrls
) -> None:
    orgs = [uuid4() for _ in range(4)]
    await log.append_all([arrived(org, e.OrgRegistered("basic"), save(1)) for org in orgs])  # before the migration
    await migrate(admin)
    for number in range(ROUNDS):  # in turn: the older release, the newer one
        org = orgs[number % len(orgs)]
        await log.append(arrived(org, save(number)))
        assert await misses_nothing(admin) == len(orgs)
        await write(pool, stored(org, "ClinicRenamed", 1, f'{{"name": "clinic {number}"}}'))
        assert await misses_nothing(admin) == len(orgs)
    await asyncio.gather(  # and both at once
        *(log.append(arrived(org, save(100 + n))) for n in range(ROUNDS) for org in orgs),
        *(write(pool, stored(org, "ClinicRenamed", 1, f'{{"name": "{n}"}}')) for n in range(ROUNDS) for org in orgs),
    )
    assert await misses_nothing(admin) == len(orgs)
    assert (await verify(tool_sync_db.owner, "clinic_names")).holds
    await admin.execute("DELETE FROM clinic_names WHERE org_id = $1", orgs[0])
    assert (await rebuild(tool_sync_db.owner, "clinic_names")).differing == 1
    assert await misses_nothing(admin) == len(orgs)


async def test_the_older_release_stops_at_what_it_does_not_know_and_the_newer_one_reads_everything(
    log: EventLog, pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await migrate(admin)
    mixed, plain = uuid4(), uuid4()
    await log.append_all([arrived(mixed, save(1)), did(mixed, synced(1)), did(plain, synced(1))])
    await write(pool, stored(mixed, "ClinicRenamed", 1, '{"name": "Sunrise"}'))
    await log.append_all([did(mixed, synced(2)), did(plain, synced(2))])

    # A worker: that org is put aside, others go on.
    older = (await log.load([mixed, plain], fold=FOLD, fleet_after=0)).orgs
    stopped = older[mixed]
    assert isinstance(stopped, UnknownEvent)
    assert (stopped.position, stopped.type_name) == (4, "ClinicRenamed")
    assert isinstance(older[plain], Loaded)
    page = await next_page(pool, after=0, limit=10, scan_max=100)  # the relay: up to it, and no further
    assert page.scanned_through == 3

    with newer_release():
        newer = (await log.load([mixed], fold=FOLD, fleet_after=0)).orgs[mixed]
        assert isinstance(newer, Loaded)
        assert [stored.position for stored in newer.events] == [1, 2, 4, 5]
        assert newer.events[2].event == ClinicRenamed("Sunrise")  # type: ignore[comparison-overlap]
        rest = await next_page(pool, after=page.scanned_through, limit=10, scan_max=100)
    published = [(subject_of(one.message)[1], one.message.sequence) for one in (*page.events, *rest.events)]
    assert published == [(str(mixed), 1), (str(plain), 1), (str(mixed), 2), (str(plain), 2)]
    assert await names(admin) == {mixed: "Sunrise"}


async def names(admin: "asyncpg.Connection[asyncpg.Record]") -> dict[UUID, str]:
    """Names by org."""
    rows = await admin.fetch("SELECT org_id, name FROM clinic_names WHERE name IS NOT NULL")
    return {row["org_id"]: row["name"] for row in rows}
