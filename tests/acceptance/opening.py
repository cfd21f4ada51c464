"""Brings the whole system up, and everything that watches it."""

from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from devstack.kafka_security import SecuredKafka
from devstack.launch import running
from devstack.options import Options

from .collector import Collector
from .kafka_topics import OUTPUT, Outcomes
from .vapi import Vapi
from .world import World


async def opened(
    exits: AsyncExitStack,
    folder: Path,
    collector: Collector,
    otlp_endpoint: str,
    *,
    secured_kafka: SecuredKafka | None = None,
) -> World:
    """A running system whose spans go to ``otlp_endpoint``; everything ends with ``exits``."""
    options = Options(
        state_dir=folder / "state",
        log_file=folder / "app.log",
        otlp_endpoint=otlp_endpoint,
        fsync=False,
        secured_kafka=secured_kafka,
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
    return World(
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
