"""The OpenAPI document promises every answer: to requests made from it, good and bad."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from uuid import uuid4

import pytest
from tests.support.asgi import ask
from tests.support.from_openapi import operations

from devstack.databases import DatabaseUrls
from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.http.app import build
from tool_sync.http.state import Installed
from tool_sync.log import EventLog
from tool_sync.outcomes.feed import Tail
from zerotouch_platform import telemetry

from .ordering import version
from .tool_settings.desk import BOOK, HASH, Desk, desk_over

SEED = 20261130
REQUESTS_PER_OPERATION = 16


@pytest.fixture
async def desk(pool: db.Pool, log: EventLog, signer: Signer, tool_sync_db: DatabaseUrls) -> AsyncIterator[Desk]:
    tail = Tail(tool_sync_db.service)
    running = asyncio.create_task(tail.run_forever())
    async with desk_over(pool, log, signer) as desk:
        desk.state.tail, desk.state.installed = tail, Installed("https://hooks.example/tools")
        async with pool.acquire() as connection:
            desk.state.log_id = await db.read_log_id(connection)
        await desk.happened(
            version(BOOK, 2),
            e.OrgRegistered("basic"),
            e.ToolRegistered(uuid4(), "platform", BOOK, "tool-1", 2, HASH, HASH, adopted=False),
        )
        yield desk
    tail.stop()
    await running


async def test_every_answer_is_one_that_the_document_promises(desk: Desk) -> None:
    app, random = build(desk.state, telemetry.off()), Random(SEED)
    known = {
        "org_id": (str(desk.org_id),),
        "org": (str(desk.org_id),),
        "tool": (BOOK,),
        "version": (2, 1),
        "old": (1, 2),
        "new": (2,),
        "rollout_id": ("none",),
        "command": ("pause", "resume", "abort"),
        "wait": (0, 0.01),
        "reason": ("a test's",),
        "enabled": (True, False),
        "window": ("22:00-06:00",),
        "log_id": (str(desk.state.log_id),),
        "type": ("ToolsSynced", "RolloutStarted"),
        "if-match": ('"1"', '"0"'),
    }
    bearers = [desk.signer.platform_token(), desk.signer.org_token(str(desk.org_id))]
    broken: list[str] = []
    statuses: dict[str, set[int]] = {}
    for operation in operations(app.openapi(), known):
        for _ in range(REQUESTS_PER_OPERATION):
            target, headers, body = operation.request(random)
            headers["Authorization"] = f"Bearer {random.choice(bearers)}"
            answer = await ask(app, operation.method.upper(), target, headers, body)
            statuses.setdefault(f"{operation.method} {operation.path}", set()).add(answer.status)
            if (problem := operation.broken_promise(answer)) is not None:
                broken.append(f"{operation.method} {target[:120]} {(body or b'')[:160]!r}: {problem}")

    assert not broken, "\n".join(broken[:400])
    assert len(statuses) >= 40
    assert {status for found in statuses.values() for status in found} >= {200, 400, 403, 404, 422}
