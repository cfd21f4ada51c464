"""A laptop is lost: its token is taken back in both services, without a restart, and no other one is."""

import asyncio
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import jwt
import pytest
from tests.support.eventually import eventually
from tests.support.unfolded import unfolded

from devstack.databases import DatabaseUrls, Service

from .programs import started
from .world import World

ROUTE: dict[Service, str] = {"assistant_api": "/api/agents", "tool_sync": "/v1/tools"}
SECONDS_MAX = 5.0


async def run(service: Service, database: DatabaseUrls, *words: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", service, "token", *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "DATABASE_URL": database.service},
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode, unfolded(output.decode())


def id_of(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["jti"])


async def status(http: httpx.AsyncClient, service: Service, token: str) -> int:
    answer = await http.get(ROUTE[service], headers={"authorization": f"Bearer {token}"})
    return answer.status_code


@pytest.mark.parametrize("service", ["assistant_api", "tool_sync"])
async def test_a_token_that_is_taken_back_lets_nobody_in_and_a_restart_keeps_it(
    world: World, tmp_path: Path, service: Service
) -> None:
    database = world.stack.database(service)
    lost, kept = (world.stack.signer.platform_token() for _ in range(2))
    until = (datetime.now(UTC) + timedelta(hours=12)).isoformat()
    taking_back = ("revoke", id_of(lost), "--until", until, "--reason", "the laptop was lost")
    async with started(world, service, tmp_path, database) as running:

        async def lets_in(token: str) -> bool:
            return await status(running.http, service, token) == 200

        await eventually(lambda: lets_in(lost), within_seconds=20)
        assert await lets_in(kept)
        code, said = await run(service, database, *taking_back)
        assert (code, said.startswith(f"{id_of(lost)} is refused until")) == (0, True), said
        began = time.monotonic()

        async def is_out() -> bool:
            return not await lets_in(lost)

        await eventually(is_out, within_seconds=SECONDS_MAX)
        assert time.monotonic() - began < SECONDS_MAX
        answer = await running.http.get(ROUTE[service], headers={"authorization": f"Bearer {lost}"})
        assert (answer.status_code, answer.json()["detail"]) == (401, "the token was taken back")
        assert await lets_in(kept)
        code, said = await run(service, database, *taking_back)
        assert (code, "it was already" in said) == (0, True)
    async with started(world, service, tmp_path, database) as running:
        await eventually(lambda: lets_in_again(running.http, service, kept), within_seconds=20)
        assert await status(running.http, service, lost) == 401
        code, said = await run(service, database, "list")
        assert (code, said.count(id_of(lost)), "the laptop was lost" in said) == (0, 1, True)
        connection = await asyncpg.connect(database.admin)
        await connection.execute("UPDATE revoked_tokens SET ends_at = now() - interval '2 minutes'")
        await eventually(lambda: is_empty(connection), within_seconds=SECONDS_MAX)
        await connection.close()
    code, said = await run(service, database, "revoke", "x", "--until", "2020-01-01", "--reason", "too late")
    assert (code, "past" in said) == (2, True)


async def lets_in_again(http: httpx.AsyncClient, service: Service, token: str) -> bool:
    return await status(http, service, token) == 200


async def is_empty(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
    return not await connection.fetchval("SELECT count(*) FROM revoked_tokens")
