"""A database of each service with clinics in it, made once; what a test opens is a copy of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from uuid import UUID

import httpx
import pytest_asyncio
from tests.integration.assistant_api.harness import Vapi

from devstack.databases import TestDatabases
from devstack.sandbox import Sandbox

from . import assistant_api_world, tool_sync_world
from .world import World

SEED = 20261130
Open = Callable[[], AbstractAsyncContextManager[World]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vapi(sandbox: Sandbox) -> AsyncIterator[Vapi]:
    """The sandbox, empty at first."""
    bearer = {"Authorization": f"Bearer {sandbox.api_key}"}
    async with (
        httpx.AsyncClient(base_url=sandbox.url) as control,
        httpx.AsyncClient(base_url=sandbox.url, headers=bearer) as api,
    ):
        (await control.post("/__sandbox/reset")).raise_for_status()
        yield Vapi(control, api)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def assistant_api(postgres: TestDatabases, sandbox: Sandbox, vapi: Vapi) -> Open:
    """Opens assistant-api over a copy."""
    template, random = await postgres.create_database("assistant_api"), Random(SEED)
    installation_id = UUID(int=random.getrandbits(128), version=4)
    clinics = await assistant_api_world.filled(template, sandbox, vapi, installation_id, random)

    @asynccontextmanager
    async def opened() -> AsyncIterator[World]:
        urls = await postgres.copy("assistant_api", template)
        try:
            async with assistant_api_world.opened(urls, sandbox, vapi, installation_id, clinics) as world:
                yield world
        finally:
            await postgres.drop(urls)

    return opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tool_sync(postgres: TestDatabases) -> Open:
    """Opens tool-sync over a copy."""
    template = await postgres.create_database("tool_sync")
    clinics = await tool_sync_world.filled(template, Random(SEED))

    @asynccontextmanager
    async def opened() -> AsyncIterator[World]:
        urls = await postgres.copy("tool_sync", template)
        try:
            async with tool_sync_world.opened(urls, clinics) as world:
                yield world
        finally:
            await postgres.drop(urls)

    return opened
