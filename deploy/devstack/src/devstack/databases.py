"""The services' roles and databases on a PostgreSQL server, and databases for tests at the price of a copy.

Each service has a database that its owner role (`tool_sync_owner`) migrates and its login role (`tool_sync`) uses.
The owner may create roles: migrations make the group roles and grant them to the login role. Other services cannot
connect. A test's database is a copy of a template that was migrated once.
"""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from devstack.errors import DevstackError
from devstack.postgres import PASSWORD

Service = Literal["assistant_api", "tool_sync"]
SERVICES: tuple[Service, ...] = ("assistant_api", "tool_sync")
MIGRATE_SECONDS_MAX = 60.0


class MigrationFailed(DevstackError):
    """A service's `migrate` command did not end well. Fields: service, output."""

    def __init__(self, service: Service, status: int | None, output: str) -> None:
        self.service, self.output = service, output
        super().__init__(f"python -m {service} migrate ended with status {status}:\n{output}")


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """The addresses of one database: `owner` migrates, `service` works, `admin` may do anything."""

    owner: str
    service: str
    admin: str


def urls(admin_url: str, service: Service, database: str | None = None) -> DatabaseUrls:
    """Returns the addresses of a service's database, by default the one that carries its name."""
    name = database or service
    return DatabaseUrls(
        owner=_with(admin_url, name, f"{service}_owner"),
        service=_with(admin_url, name, service),
        admin=_with(admin_url, name),
    )


async def bootstrap(admin_url: str) -> None:
    """Creates the roles and the databases of both services where they are missing; safe to repeat."""
    async with _connected(admin_url) as connection:
        await _create_roles(connection)
        existing = {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
        for service in SERVICES:
            if service not in existing:
                await _create_database(connection, service, service)


async def migrate(service: Service, owner_url: str, code: Mapping[str, str] | None = None) -> None:
    """Runs `python -m <service> migrate` on a database; raises `MigrationFailed` with what it printed.

    `code`: environment variables that name another release's code.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        service,
        "migrate",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "MIGRATE_DATABASE_URL": owner_url, **(code or {})},
    )
    try:
        async with asyncio.timeout(MIGRATE_SECONDS_MAX):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        output, _ = await process.communicate()
    if process.returncode != 0:
        raise MigrationFailed(service, process.returncode, output.decode(errors="replace"))


class TestDatabases:
    """Makes databases for tests on one server. Field: admin_url (superuser, database `postgres`).

    Names carry a random part, so that several runs may share a server; `close` drops what was made.
    """

    __test__ = False  # the name is for readers; pytest must not collect it

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self._run = uuid.uuid4().hex[:8]
        self._made = 0
        self._databases: dict[DatabaseUrls, str] = {}
        self._templates: dict[Service, str] = {}
        self._copying = asyncio.Lock()

    async def create_database(self, service: Service) -> DatabaseUrls:
        """Creates a migrated database, about 50 ms; the first of each service also migrates the template."""
        async with self._copying:  # PostgreSQL copies a template only while nobody else is connected to it
            if service not in self._templates:
                self._templates[service] = await self._create_template(service)
            return await self._create(service, self._templates[service])

    async def create_empty_database(self, service: Service) -> DatabaseUrls:
        """Creates a database without any table, for tests of migrations."""
        async with self._copying:
            return await self._create(service, "template0")

    async def copy(self, service: Service, database: DatabaseUrls) -> DatabaseUrls:
        """Copies a database that was made here, as a backup of it; nobody may be connected to it meanwhile."""
        async with self._copying:
            return await self._create(service, self._databases[database])

    async def drop(self, database: DatabaseUrls) -> None:
        """Drops a database that was made here, ending the sessions that are left in it."""
        async with _connected(self.admin_url) as connection:
            await connection.execute(f'DROP DATABASE "{self._databases.pop(database)}" WITH (FORCE)')

    async def close(self) -> None:
        """Drops every database and template that was made here."""
        for database in tuple(self._databases):
            await self.drop(database)
        async with _connected(self.admin_url) as connection:
            for template in self._templates.values():
                await connection.execute(f'DROP DATABASE "{template}" WITH (FORCE)')
        self._templates.clear()

    async def _create(self, service: Service, template: str) -> DatabaseUrls:
        self._made += 1
        name = f"{service}_test_{self._run}_{self._made}"
        async with _connected(self.admin_url) as connection:
            await _create_roles(connection)
            await _create_database(connection, service, name, template)
        made = urls(self.admin_url, service, name)
        self._databases[made] = name
        return made

    async def _create_template(self, service: Service) -> str:
        name = f"{service}_template_{self._run}"
        async with _connected(self.admin_url) as connection:
            await _create_roles(connection)
            await _create_database(connection, service, name)
        await migrate(service, urls(self.admin_url, service, name).owner)
        return name


async def _create_roles(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    existing = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    for service in SERVICES:
        for role, options in ((f"{service}_owner", "LOGIN CREATEROLE"), (service, "LOGIN")):
            if role not in existing:
                await connection.execute(f"CREATE ROLE \"{role}\" {options} PASSWORD '{PASSWORD}'")


async def _create_database(
    connection: "asyncpg.Connection[asyncpg.Record]", service: Service, name: str, template: str = "template0"
) -> None:
    # No parameters in DDL: every name here is made of constants and hexadecimal digits.
    await connection.execute(f'CREATE DATABASE "{name}" OWNER "{service}_owner" TEMPLATE "{template}"')
    await connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    await connection.execute(f'GRANT CONNECT ON DATABASE "{name}" TO "{service}"')


@asynccontextmanager
async def _connected(url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    connection = await asyncpg.connect(url, timeout=10)
    try:
        yield connection
    finally:
        await connection.close()


def _with(url: str, database: str, user: str | None = None) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{user}:{PASSWORD}@{host}" if user else parts.netloc
    return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}"))
