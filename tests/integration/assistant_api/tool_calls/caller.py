"""Fixtures: the service with Vapi's credentials, and somebody who calls it."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest_asyncio

from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from ..harness import Harness, Vapi, make_settings, running
from .calling import KEYS, TOKENS, Caller


@pytest_asyncio.fixture(loop_scope="session")
async def harness(assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi) -> AsyncIterator[Harness]:
    """The service, which knows two bearer tokens and two keys."""
    settings = make_settings(
        assistant_api_db,
        sandbox,
        vapi_webhook_tokens=", ".join(TOKENS),
        vapi_webhook_hmac_keys=",".join(KEYS),
        webhook_bytes_max=65_536,
    )
    async with running(settings, assistant_api_db, vapi) as harness:
        yield harness


@pytest_asyncio.fixture(loop_scope="session")
async def caller(harness: Harness) -> Caller:
    """Somebody who calls."""
    return Caller(harness)


@pytest_asyncio.fixture(loop_scope="session")
async def org_id(harness: Harness) -> UUID:
    """A clinic that is always open, in UTC."""
    return await harness.organization()
