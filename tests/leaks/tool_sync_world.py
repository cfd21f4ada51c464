"""tool-sync's HTTP API with its clinics, over a real log; nothing of it runs beside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import asyncpg
from tests.integration.tool_sync.ordering import say, version
from tests.integration.tool_sync.rollouts.desk import file_of
from tests.integration.tool_sync.tool_settings.desk import BOOK, CANCEL, HASH, Desk, desk_over
from tests.support.route_needs import SIGNER

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.console.session import Sealer
from tool_sync.domain import events as e
from tool_sync.http.app import build
from tool_sync.http.state import ConsoleDoor, Installed, NoticesDoor
from tool_sync.intake.call_counts import CountedCall, count_calls
from tool_sync.log import EventLog, LogSettings
from tool_sync.notices.endpoints import store_endpoint
from tool_sync.notices.names import Names
from tool_sync.notices.signing import SecretBox, new_secret
from tool_sync.outcomes.feed import Tail
from tool_sync.publishing.overlay import part_of
from zerotouch_platform import telemetry

from .clinic import SHARED_AGENT, Clinic, Clinics, word
from .world import World

_WORDS: Final = """
INSERT INTO vapi_words (org_id, agent_id, trace_id, route, status, code, words)
VALUES ($1, $2, $3, 'PATCH /assistant/{id}', 400, 'TS-302', $4)
"""
_LETTER: Final = """
INSERT INTO dead_letters (topic, partition, "offset", headers, value, reason, org_id)
VALUES ('t', 0, $3, '[]', $2, 'r', $1)
"""
_LINK: Final = """
INSERT INTO status_links (id, org_id, code_hash, label, made_at, made_by, expires_at)
VALUES ($1, $2, sha256(uuid_send($1)), $3, now(), 'org:k', now() + interval '1 day')
"""
WHY: Final = "because we try"
SPARE: Final = ("rescheduleAppointment", "findAppointment")
"""Tools of which nothing is under way: one to plan an order of, one to order for nobody."""


async def filled(urls: DatabaseUrls, random: Random) -> Clinics:
    """Make the clinics in a database; nobody is connected to it afterwards."""
    async with _desk(urls) as desk:
        await desk.happened(version(BOOK, 1), version(BOOK, 2), *(version(name, 1) for name in (CANCEL, *SPARE)))
        await say(desk.log, version(CANCEL, 2))  # and nobody ordered it
        admin = await asyncpg.connect(urls.admin)
        own, foreign, deleted = [await _clinic(desk, admin, random, number) for number in range(3)]
        await desk.happened(e.OrgClosed(), org_id=deleted.org_id)
        await admin.close()
    never = UUID(int=random.getrandbits(128), version=4)
    return Clinics(own, foreign, Clinic(never, _facts(random, never)), deleted)


@asynccontextmanager
async def opened(urls: DatabaseUrls, clinics: Clinics) -> AsyncIterator[World]:
    """The API over a database with these clinics, with its tail."""
    tail = Tail(urls.service)
    following = asyncio.create_task(tail.run_forever())
    admin = await asyncpg.connect(urls.admin)
    try:
        async with _desk(urls) as desk:
            desk.state.tail = tail
            app = build(desk.state, telemetry.off())
            right = await _right(desk)
            yield World("tool_sync", app, app.openapi(), clinics, SIGNER.private_key, admin, right)
    finally:
        await admin.close()
        tail.stop()
        await following


@asynccontextmanager
async def _desk(urls: DatabaseUrls) -> AsyncIterator[Desk]:
    pool = await db.SESSIONS.pool(urls.service, size_max=4)
    log = EventLog(pool, LogSettings(append_seconds_max=10.0, retry_seconds=0.05))
    running = asyncio.create_task(log.run_forever())
    try:
        async with desk_over(pool, log, SIGNER) as desk:
            desk.state.installed = Installed("https://hooks.example/tools", calls_per_minute=720)
            sealer = Sealer(bytes(32), is_secure=True)
            desk.state.notices = NoticesDoor(SecretBox(bytes(32)), Names().addresses)
            desk.state.console = ConsoleDoor(
                "https://console.example/console", sealer.seal_link, ("https://praxis.example",)
            )
            async with pool.acquire() as connection:
                desk.state.log_id = await db.read_log_id(connection)
            yield desk
    finally:
        log.stop()
        await running
        await pool.close()


async def _right(desk: Desk) -> dict[str, Any]:
    """Right values; a plan is made for who applies one, and an order for who commands one."""
    headers = {"Authorization": f"Bearer {SIGNER.platform_token()}"}

    async def planned(tool: str, number: int | None) -> dict[str, Any]:
        body = {"tool": tool, "version": number}
        answer = await desk.client.post("/v1/rollouts", json=body, headers=headers)
        made: dict[str, Any] = answer.raise_for_status().json()
        return made

    order = await planned(CANCEL, None)
    body = {"plan_hash": order["digest"], "reason": WHY}
    (await desk.client.post(f"/v1/rollouts/{order['rollout_id']}/apply", json=body, headers=headers)).raise_for_status()
    plan = await planned(SPARE[0], None)
    file = file_of("Says that it is looking.")
    return {
        "tool": BOOK, "version": 1, "old": 1, "new": 2, "reason": WHY, "window": "22:00-06:00", "enabled": True,
        "until": (datetime.now(UTC) + timedelta(days=7)).isoformat(), "rollout_id": order["rollout_id"],
        "POST /v1/rollouts/{rollout_id}/apply rollout_id": plan["rollout_id"], "plan_hash": plan["digest"],
        "POST /v1/tools body": file, "POST /v1/tools/lint body": file,
        "label": "praxis.example", "url": "https://93.184.216.34/notices",
        "policy": "report", "GET /v1/orgs name": "Praxis", "POST /v1/tools/{tool}/disable tool": SPARE[1],
        "POST /v1/tools/{tool}/versions/{version}/withdraw tool": CANCEL,
        "POST /v1/tools/{tool}/versions/{version}/withdraw version": 2,
    }  # fmt: skip


async def _clinic(desk: Desk, admin: "asyncpg.Connection[asyncpg.Record]", random: Random, number: int) -> Clinic:
    """A clinic with a tool, assistants with outcomes, words of its own, a window, a pin, and what Vapi said."""
    org_id = UUID(int=random.getrandbits(128), version=4)
    said, hidden = {what: word(random) for what in _SHOWN}, {"letter": word(random)}
    facts = _facts(random, org_id)
    part = part_of(org_id, "description_suffix", said["suffix"])
    until = datetime.now(UTC) + timedelta(days=30)
    attempts = [UUID(int=random.getrandbits(128), version=4) for _ in range(2)]
    tool = e.ToolRef(BOOK, said["tool"], 2, HASH)
    await desk.happened(
        e.OrgRegistered("basic"),
        e.ToolRegistered(attempts[0], "platform", BOOK, said["tool"], 1, HASH, HASH, adopted=False),
        e.ToolUpdated(
            attempts[1], "platform", BOOK, said["tool"], 2, HASH, HASH,
            version_before=1, hash_before=HASH, fleet_sequence=1, cause="rollout",
        ),
        e.ToolPinned(BOOK, 2, HASH, "basic", until, said["pin"]),
        e.ChangeWindowSet("22:00", "06:00", said["window"]),
        org_id=org_id,
    )  # fmt: skip
    assert await desk.pool.fetchval("SELECT keep_tool_texts($1, $2, $3)", org_id, [part.hash], [f'"{said["suffix"]}"'])
    await desk.happened(e.ToolCustomized(BOOK, True, said["setting"], (part,)), org_id=org_id)
    for sequence, agent_id in enumerate((facts["agent"], SHARED_AGENT), 1):
        request_id = UUID(int=random.getrandbits(128), version=4)
        assistant = facts["assistant"] if sequence == 1 else word(random)
        await desk.happened(
            e.SyncRequested(request_id, agent_id, assistant, 1, HASH, "save", facts["trace"]), org_id=org_id
        )
        head = await desk.pool.fetchval("SELECT max(position) FROM events")
        settled = (e.Settled(request_id, facts["trace"]),)
        await desk.happened(
            e.AssistantSynced(agent_id, assistant, 1, "platform", (tool,), settled, head, "save", sequence),
            org_id=org_id,
        )
    await admin.execute(_WORDS, org_id, facts["agent"], facts["trace"], said["vapi"])
    await admin.execute(_LETTER, org_id, hidden["letter"].encode(), number)
    now = datetime.now(UTC)
    await count_calls(
        desk.pool, [CountedCall(attempts[0], now, org_id, said["result"], facts["assistant"], said["called"])]
    )
    async with db.transaction(desk.pool) as connection:
        sealed = SecretBox(bytes(32)).seal(org_id, new_secret())
        url = f"https://93.184.216.34/{said['hook']}"
        await store_endpoint(connection, org_id, url, sealed, rotate=False, by=f"org:{said['setter']}")
    await admin.execute(_LINK, UUID(facts["link"]), org_id, said["label"])
    return Clinic(org_id, facts, said, hidden)


_SHOWN: Final = ("tool", "pin", "window", "suffix", "setting", "vapi", "result", "called", "hook", "setter",
                 "label")  # fmt: skip


def _facts(random: Random, org_id: UUID) -> dict[str, Any]:
    trace = f"{random.getrandbits(128):032x}"
    link = str(UUID(int=random.getrandbits(128), version=4))
    return {"org": str(org_id), "agent": word(random), "assistant": word(random), "trace": trace, "link": link}
