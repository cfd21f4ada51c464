"""Both databases are backed up while clinics save, lost, and restored by one command, after which all goes on."""

import asyncio
import os
import shlex
import sys
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest

from devstack import postgres, services
from devstack.databases import SERVICES, Service

from .test_restores import SETTLE_SECONDS, synced
from .world import World

FOLDER = Path(__file__).parents[2] / "deploy/backup"

pytestmark = pytest.mark.timeout(180)


def service_command(world: World, service: Service, folder: Path) -> str:
    """How an operator runs a command of the service: a script with its settings, as a container would have them."""
    path = folder / f"{service}.sh"
    settings = {
        **world.stack.surroundings.env(
            service, world.stack.database(service), world.stack.ports[services.TITLES[service]]
        ),
        "SETTLE_SECONDS": SETTLE_SECONDS,
        "MIGRATE_DATABASE_URL": world.stack.database(service).owner,
    }
    lines = ["#!/bin/sh", *(f"export {name}={shlex.quote(value)}" for name, value in settings.items())]
    path.write_text("\n".join([*lines, f'exec {sys.executable} -m {service} "$@"', ""]))
    path.chmod(0o700)
    return str(path)


async def runs(world: World, folder: Path, script: str, *words: str, **variables: str) -> tuple[int, str]:
    """Run one of the scripts as the server's administrator."""
    admin = urlsplit(world.stack.database_admin_url)
    (folder / "pgpass").write_text(f"*:*:*:*:{admin.password}\n")
    (folder / "pgpass").chmod(0o600)
    shell = await asyncio.create_subprocess_exec(
        "sh", str(FOLDER / script), *words,
        env={
            "PATH": os.pathsep.join((str(postgres._binaries()), os.environ["PATH"])),
            "PGHOST": str(admin.hostname),
            "PGPORT": str(admin.port),
            "PGUSER": str(admin.username),
            "PGPASSFILE": str(folder / "pgpass"),
            "PGSSLMODE": "disable",
            **variables,
        },
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output = (await shell.communicate())[0].decode()
    assert shell.returncode is not None
    return shell.returncode, output


async def keeps_saving(world: World, org_id: UUID) -> None:
    """A clinic that saves as fast as it is answered."""
    number = 0
    while True:
        await world.save(org_id, f"during-{number}")
        number += 1


async def test_one_command_backs_up_and_one_brings_everything_back(
    own_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = own_world
    org, busy = await world.organization("Known"), await world.organization("Busy")
    old = [await world.synced_agent(org, f"old-{number}") for number in range(3)]
    saving = asyncio.create_task(keeps_saving(world, busy))
    status, said = await runs(world, tmp_path, "backup.sh", str(tmp_path / "backup"))
    saving.cancel()
    assert status == 0, said
    await asyncio.gather(saving, return_exceptions=True)
    since = await world.synced_agent(org, "since")
    await world.quiet()
    made = await world.vapi.creations()

    for service in SERVICES:
        await world.stack.children.pop(services.TITLES[service]).stop()
    await world.assistants_db.close()
    await world.log_db.close()
    admin = await asyncpg.connect(world.stack.database_admin_url)
    for service in SERVICES:
        await admin.execute(f"DROP DATABASE {service} WITH (FORCE)")
    await admin.close()

    status, said = await runs(
        world, tmp_path, "restore.sh", str(tmp_path / "backup"), "both disks were lost",
        INSTALLATION_ID=world.stack.surroundings.installation_id,
        ASSISTANT_API=service_command(world, "assistant_api", tmp_path),
        TOOL_SYNC=service_command(world, "tool_sync", tmp_path),
    )  # fmt: skip
    assert status == 0, said
    assert "LEFT TO YOU" not in said
    assert f"agent {since['agentId']} assistant {since['assistantId']}" in said, "made after the backup, and named"

    with monkeypatch.context() as environment:
        environment.setenv("CONSUMER_GROUP", "tool-sync-after-the-restore")  # as the command says
        await world.stack.start_service("tool_sync")
    await world.stack.start_service("assistant_api")
    again = await world.save(org, "since")
    assert again["assistantId"] == since["assistantId"]
    for saved in (*old, again):
        assert (await world.sync(saved["agentId"]))["assistantId"] == saved["assistantId"]
        assert (await synced(world, org, saved["agentId"]))["state"] == "synced"
    assert len(await world.vapi.tools_of(org)) == 1
    assert await world.vapi.creations() == made, "no tool was made twice"
