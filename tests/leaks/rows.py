"""Row-level security alone: as each role of the database, with every setting of the organization, on every table that
has one. What the tables are, the database says: a new one is here on the day it is made."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self
from uuid import UUID

import asyncpg

from .clinic import Clinic
from .world import World

_TABLES: Final = """
SELECT c.table_name, c.column_name, t.table_type = 'VIEW' AS is_view
  FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
 WHERE c.table_schema = 'public' AND c.column_name = CASE c.table_name WHEN 'organizations' THEN 'id' ELSE 'org_id' END
 ORDER BY c.table_name
"""
_COLUMNS: Final = """
SELECT column_name, udt_name, column_default IS NOT NULL OR is_identity = 'YES' OR is_nullable = 'YES' AS free
  FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'
 ORDER BY ordinal_position
"""
_RIGHTS: Final = """
SELECT attname, has_column_privilege($2, attrelid, attnum, 'INSERT') AS inserts,
       has_column_privilege($2, attrelid, attnum, 'UPDATE') AS updates
  FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
 ORDER BY attnum
"""
_ROLES: Final = """
SELECT rolname FROM pg_roles
 WHERE rolname LIKE $1 || '\\_%' AND NOT rolsuper AND pg_has_role($1, oid, 'SET') ORDER BY rolname
"""
_READABLE: Final = """
SELECT DISTINCT g.grantee || ' reads ' || g.table_name FROM (
    SELECT grantee, table_name FROM information_schema.role_table_grants WHERE table_schema = 'public'
     UNION SELECT grantee, table_name FROM information_schema.role_column_grants WHERE table_schema = 'public') g
 WHERE g.grantee = ANY($1::text[] || 'PUBLIC'::text) AND g.table_name <> ALL($2)
"""
_RUNNABLE: Final = """
SELECT r.rolname || ' runs ' || p.proname FROM pg_proc p, unnest($1::text[]) AS r (rolname)
 WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace AND has_function_privilege(r.rolname, p.oid, 'EXECUTE')
   AND p.prorettype <> 'trigger'::regtype
"""
OF_EVERYBODY: Final = frozenset({"tool_sync_tenant reads system_tools", "tool_sync_tenant reads tool_calls_read"})
"""Tables without an organization that a tenant may read: what stands there is the same for every clinic."""
_CHECKS: Final = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint
 WHERE contype = 'c' AND conparentid = 0 AND connamespace = 'public'::regnamespace AND conrelid <> 0
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view, and its column that says whose a row is."""

    name: str
    column: str
    is_view: bool = False


async def tables_of(admin: "asyncpg.Connection[asyncpg.Record]") -> list[Table]:
    """All that know an organization."""
    return [Table(*row) for row in await admin.fetch(_TABLES)]


async def fingerprints(admin: "asyncpg.Connection[asyncpg.Record]", clinics: Iterable[Clinic]) -> dict[str, str]:
    """A hash of each clinic's rows in every table."""
    found: dict[str, str] = {}
    for table in await tables_of(admin):
        if table.is_view:
            continue
        rows = await admin.fetch(
            f"SELECT {table.column} AS org, md5(string_agg(t::text, chr(10) ORDER BY t::text)) AS hash"  # noqa: S608
            f" FROM {table.name} t GROUP BY {table.column}"
        )
        by_org = {row["org"]: row["hash"] for row in rows}
        found |= {f"{table.name} of {clinic.org_id}": by_org.get(clinic.org_id, "") for clinic in clinics}
    return found


async def fill(admin: "asyncpg.Connection[asyncpg.Record]", clinics: Iterable[Clinic]) -> None:
    """A row of each clinic in every table that has none yet: a wall with nothing behind it holds anything.

    The database is a copy: no check, trigger or foreign key of it stands beside row-level security any more.
    """
    for (statement,) in await admin.fetch(_CHECKS):
        await admin.execute(statement)
    await admin.execute("SET session_replication_role = replica")
    try:
        for table in await tables_of(admin):
            if table.is_view:
                continue
            for clinic in clinics:
                query = f"SELECT EXISTS (SELECT FROM {table.name} WHERE {table.column} = $1)"  # noqa: S608
                if not await admin.fetchval(query, clinic.org_id):
                    await _insert(admin, table, clinic.org_id)
    finally:
        await admin.execute("RESET session_replication_role")


async def _insert(admin: "asyncpg.Connection[asyncpg.Record]", table: Table, org_id: UUID) -> None:
    values: dict[str, Any] = {table.column: org_id}
    for row in await admin.fetch(_COLUMNS, table.name):
        if row["column_name"] != table.column and not row["free"]:
            values[row["column_name"]] = _value(row["udt_name"], org_id)
    columns = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    await admin.execute(f"INSERT INTO {table.name} ({columns}) VALUES ({places})", *values.values())  # noqa: S608


def _value(kind: str, org_id: UUID) -> Any:
    match kind:
        case "uuid":
            return org_id
        case "jsonb":
            return "{}"
        case "bytea":
            return b"x"
        case "bool":
            return False
        case "int2" | "int4" | "int8":
            return org_id.int % 30_000
        case "timestamptz":
            return datetime.now(UTC)
        case _:
            return [] if kind.startswith("_") else f"x{org_id}"


@dataclass(frozen=True, slots=True)
class Setting:
    """What `app.org_id` is; ``sees``: whose rows are seen with it; ``is_none``: it is no organization, and says so."""

    name: str
    value: str | None
    sees: UUID | None
    is_none: bool = False


def _settings(own: Clinic, foreign: Clinic) -> Iterator[Setting]:
    yield Setting("own", str(own.org_id), own.org_id)
    yield Setting("another's", str(foreign.org_id), foreign.org_id)
    yield Setting("capitals", str(own.org_id).upper(), own.org_id)
    yield Setting("unset", None, None)
    yield Setting("empty", "", None)
    yield Setting("garbage", "own' OR true --", None, is_none=True)
    yield Setting("two", f"{own.org_id},{foreign.org_id}", None, is_none=True)


@dataclass(frozen=True, slots=True)
class Rights:
    """The columns of a table, and those of them that a role may write."""

    columns: tuple[str, ...]
    inserts: tuple[str, ...]
    updates: tuple[str, ...]

    @classmethod
    async def of(cls, admin: "asyncpg.Connection[asyncpg.Record]", table: Table, role: str) -> Self:
        """As the database says."""
        rows = await admin.fetch(_RIGHTS, table.name, role)
        return cls(
            tuple(row["attname"] for row in rows),
            tuple(row["attname"] for row in rows if row["inserts"]),
            tuple(row["attname"] for row in rows if row["updates"]),
        )


@dataclass
class RowReport:
    """What came of it. ``seen``: tables of which a role was shown a row of its own."""

    probes: int
    findings: list[str]
    seen: set[str]


async def run(world: World, wanted: Callable[[str], bool] = lambda _table: True) -> RowReport:
    """Every role × setting × table × statement, each rolled back; and what a role may reach beside those tables."""
    own, foreign = world.clinics.own, world.clinics.foreign
    await fill(world.admin, (own, foreign))
    tables = await tables_of(world.admin)
    tenants = [row[0] for row in await world.admin.fetch(_ROLES, world.service) if not row[0].endswith("_service")]
    strangers = ["tool_sync" if world.service == "assistant_api" else "assistant_api"]
    report = RowReport(2, [], set())
    assert tenants, "a service has a role for its tenants"
    by_grant = {row[0] for row in await world.admin.fetch(_READABLE, tenants, [table.name for table in tables])}
    report.findings += [f"{one}, which says of no row whose it is" for one in sorted(by_grant - OF_EVERYBODY)]
    report.findings += [f"{row[0]} with its owner's rights" for row in await world.admin.fetch(_RUNNABLE, tenants)]
    samples = {table.name: [await _sample(world.admin, table, one) for one in (own, foreign)] for table in tables}
    for table in tables:
        if not wanted(table.name):
            continue
        for role in (*tenants, *strangers):
            rights = await Rights.of(world.admin, table, role)
            for setting in _settings(own, foreign):
                sees = None if role in strangers else setting.sees
                for what, statement, arguments, is_leak in _statements(table, rights, sees, samples[table.name]):
                    report.probes += 1
                    told = await _tried(world.admin, role, setting, statement, arguments)
                    if isinstance(told, list) and sees is not None and what == "reads" and told:
                        report.seen.add(f"{role} {table.name}")
                    if setting.is_none and isinstance(told, asyncpg.InvalidTextRepresentationError):
                        continue
                    if (wrong := is_leak(told)) is not None:
                        report.findings.append(f"{role}, organization {setting.name}: {what} {table.name}: {wrong}")
    return report


def _statements(
    table: Table, rights: "Rights", sees: UUID | None, samples: list[str | None]
) -> Iterator[tuple[str, str, list[Any], Callable[[Any], str | None]]]:
    org, name = table.column, table.name

    def rows_of_others(told: Any) -> str | None:
        if isinstance(told, asyncpg.PostgresError):
            return None if _refuses(told) else repr(told)
        others = {str(row["org"]) for row in told if row["org"] != sees}
        return f"rows of {sorted(others)[:3]}" if others else None

    def reached(told: Any) -> str | None:
        """A row of another's must not get as far as a constraint."""
        if isinstance(told, asyncpg.PostgresError):
            return None if _refuses(told) else f"reached the table: {told!r}"
        return f"{len(told)} rows written" if told else None

    yield "reads", f"SELECT {org} AS org FROM {name}", [], rows_of_others  # noqa: S608
    for clinic_org in {sample and json.loads(sample)[org] for sample in samples} - {None, str(sees)}:
        other = UUID(clinic_org)
        where = f"WHERE {org} = $1"
        yield "asks by id in", f"SELECT {org} AS org FROM {name} {where}", [other], rows_of_others  # noqa: S608
        yield "counts in", f"SELECT {org} AS org, count(*) FROM {name} {where} GROUP BY 1", [other], rows_of_others  # noqa: S608
        for column in rights.updates or (org,):
            yield "updates", f'UPDATE {name} SET "{column}" = "{column}" {where} RETURNING 1', [other], reached  # noqa: S608
        yield "deletes from", f"DELETE FROM {name} {where} RETURNING 1", [other], reached  # noqa: S608
        if sees is not None:
            yield "gives away", f"UPDATE {name} SET {org} = $1 WHERE {org} = $2 RETURNING 1", [other, sees], reached  # noqa: S608
    listed = ", ".join(f'"{column}"' for column in rights.inserts or rights.columns)
    for sample in samples:
        if sample is not None and not table.is_view and json.loads(sample)[org] != str(sees):
            yield (
                "inserts into",
                f"INSERT INTO {name} ({listed}) OVERRIDING SYSTEM VALUE"  # noqa: S608
                f" SELECT {listed} FROM jsonb_populate_record(NULL::{name}, $1) RETURNING 1",
                [sample],
                reached,
            )


def _refuses(told: asyncpg.PostgresError) -> bool:
    return isinstance(told, asyncpg.InsufficientPrivilegeError)


async def _tried(
    admin: "asyncpg.Connection[asyncpg.Record]", role: str, setting: Setting, statement: str, arguments: list[Any]
) -> Any:
    transaction = admin.transaction()
    await transaction.start()
    try:
        await admin.execute(f'SET LOCAL ROLE "{role}"')
        if setting.value is not None:
            await admin.execute("SELECT set_config('app.org_id', $1, true)", setting.value)
        return await admin.fetch(statement, *arguments)
    except asyncpg.PostgresError as error:
        return error
    finally:
        await transaction.rollback()


async def _sample(admin: "asyncpg.Connection[asyncpg.Record]", table: Table, clinic: Clinic) -> str | None:
    query = f"SELECT to_jsonb(t)::text FROM {table.name} t WHERE {table.column} = $1 LIMIT 1"  # noqa: S608
    found: str | None = await admin.fetchval(query, clinic.org_id)
    return found
