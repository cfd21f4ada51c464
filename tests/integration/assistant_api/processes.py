"""The command as a process of its own, told by its environment."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls
from devstack.ports import free_port
from devstack.sandbox import Sandbox

from .harness import AUDIENCE, ISSUER, NOBODY_LISTENS, PUBLIC_KEY


def environment_of(urls: DatabaseUrls, sandbox: Sandbox, **changes: str) -> dict[str, str]:
    """What a process is told; Kafka is nowhere unless ``changes`` say where."""
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": urls.service,
        "KAFKA_BOOTSTRAP_SERVERS": NOBODY_LISTENS,
        "INSTALLATION_ID": str(uuid4()),
        "VAPI_BASE_URL": sandbox.url,
        "VAPI_API_KEY": sandbox.api_key,
        "JWT_PUBLIC_KEY": PUBLIC_KEY,
        "JWT_ISSUER": ISSUER,
        "JWT_AUDIENCE": AUDIENCE,
        "PORT": str(free_port()),
        **changes,
    }


async def start(environment: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
    """The command with these arguments."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "assistant_api",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@asynccontextmanager
async def running_process(
    environment: dict[str, str],
) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    """A process that serves, killed at the end where it still runs."""
    process = await start(environment, "run")
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{environment['PORT']}") as http:

            async def lives() -> bool:
                assert process.returncode is None
                try:
                    return (await http.get("/livez")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(lives, within_seconds=20)
            yield process, http
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
