"""Fixtures: the sandbox without memory of the last test, and the service over it."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from .harness import Harness, Vapi, make_settings, running


@pytest_asyncio.fixture(loop_scope="session")
async def vapi(sandbox: Sandbox) -> AsyncIterator[Vapi]:
    """The sandbox, empty and well-behaved."""
    bearer = {"Authorization": f"Bearer {sandbox.api_key}"}
    async with (
        httpx.AsyncClient(base_url=sandbox.url) as control,
        httpx.AsyncClient(base_url=sandbox.url, headers=bearer) as api,
    ):
        (await control.post("/__sandbox/reset")).raise_for_status()
        yield Vapi(control, api)
        (await control.post("/__sandbox/reset")).raise_for_status()


@pytest_asyncio.fixture(loop_scope="session")
async def harness(assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi) -> AsyncIterator[Harness]:
    """The service as it is by default, without Kafka."""
    async with running(make_settings(assistant_api_db, sandbox), assistant_api_db, vapi) as harness:
        yield harness


@pytest_asyncio.fixture(loop_scope="session")
async def hasty(assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi) -> AsyncIterator[Harness]:
    """The service with short patience, for tests in which Vapi fails."""
    settings = make_settings(
        assistant_api_db,
        sandbox,
        answer_wait_seconds=0.3,
        vapi_deadline_seconds=0.6,
        send_window_seconds=0.3,
        settle_seconds=1.0,
        surplus_age_seconds=2.0,
        lease_seconds=3,
        look_seconds=0.1,
        removal_lease_seconds=3,
        retry_seconds_max=0.2,
        retry_seconds_min=0.1,
    )
    async with running(settings, assistant_api_db, vapi) as harness:
        yield harness
