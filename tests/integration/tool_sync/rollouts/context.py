"""What a process of tool-sync is given, over one log and one Vapi; and stages."""

import time
from collections.abc import Collection
from typing import Final
from uuid import UUID

import httpx
from tests.support.over_httpx import OverHttpx
from tests.support.unlimited import Unlimited

from tool_sync import db
from tool_sync.domain.events import RolloutStage
from tool_sync.domain.events.rollout import RINGS
from tool_sync.log import EventLog
from tool_sync.sync.blueprint import OFFERED, Blueprint
from tool_sync.sync.concurrency import ConcurrencyLimiter
from tool_sync.sync.context import Context, FleetView
from tool_sync.sync.store import PostgresStore
from tool_sync.vapi.client import VapiClient
from vapi_sandbox import DEFAULT_KEY
from zerotouch_contracts.tools import DEFINITIONS
from zerotouch_platform import telemetry

from .limits import HOOKS, INSTALLATION, LIMITS, POLICY

EVERYBODY: Final = RolloutStage("all", RINGS)


def stages(*org_ids: Collection[UUID]) -> tuple[RolloutStage, ...]:
    """A stage for each of these groups of clinics, in this order, and then everybody."""
    named = (RolloutStage(f"stage {n}", orgs=tuple(map(str, orgs))) for n, orgs in enumerate(org_ids, 1))
    return (*named, EVERYBODY)


def context_over(pool: db.Pool, log: EventLog, transport: httpx.AsyncBaseTransport) -> Context:
    off = telemetry.off()
    vapi = VapiClient(
        "http://sandbox",
        lambda: DEFAULT_KEY,
        account="platform",
        deadline_seconds=0.5,
        transport=OverHttpx(transport),
        telemetry=off,
    )
    return Context(
        log=log,
        store=PostgresStore(pool),
        vapi=vapi,
        blueprint=Blueprint(DEFINITIONS, HOOKS, INSTALLATION, None, OFFERED),
        fleet=FleetView(),
        policy=POLICY,
        limits=LIMITS,
        telemetry=off,
        service_version="test",
        concurrency=ConcurrencyLimiter(1000, slow_seconds=0.4, monotonic=time.monotonic),
        key=Unlimited(refused_seconds=0.2),
    )
