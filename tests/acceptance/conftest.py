"""Fixtures: one running system for the whole tier, with everything that watches it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from devstack.options import Options
from devstack.stack import running

from .collector import collecting
from .kafka_topics import OUTPUT, Outcomes
from .vapi import Vapi
from .world import World


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The whole system as it is delivered: no setting differs from the demo's but ports and the collector."""
    folder = tmp_path_factory.mktemp("acceptance")
    async with AsyncExitStack() as exits:
        collector = exits.enter_context(collecting())
        options = Options(
            state_dir=folder / "state",
            log_file=folder / "app.log",
            otlp_endpoint=collector.endpoint,
            fsync=False,
        )
        stack = await exits.enter_async_context(running(options))
        around = stack.surroundings

        async def client(url: str, token: str | None = None) -> httpx.AsyncClient:
            headers = {} if token is None else {"authorization": f"Bearer {token}"}
            limits = httpx.Limits(max_connections=100)
            return await exits.enter_async_context(
                httpx.AsyncClient(base_url=url, headers=headers, timeout=20, limits=limits)
            )

        kafka = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap_servers)
        await kafka.start()
        exits.push_async_callback(kafka.close)
        consumer = AIOKafkaConsumer(
            OUTPUT, bootstrap_servers=stack.bootstrap_servers, group_id=None, auto_offset_reset="earliest"
        )
        await consumer.start()
        exits.push_async_callback(consumer.stop)
        assistants_db = await asyncpg.connect(stack.database("assistant_api").owner)
        exits.push_async_callback(assistants_db.close)
        log_db = await asyncpg.connect(stack.database("tool_sync").admin)
        exits.push_async_callback(log_db.close)
        platform = stack.signer.platform_token()
        yield World(
            stack=stack,
            http=await client(stack.assistant_api_url, platform),
            tool_sync=await client(stack.tool_sync_url, platform),
            vapi=Vapi(await client(around.vapi_base_url), await client(around.vapi_base_url, around.vapi_api_key)),
            outcomes=Outcomes(consumer),
            collector=collector,
            assistants_db=assistants_db,
            log_db=log_db,
            kafka=kafka,
            consumer=consumer,
        )
