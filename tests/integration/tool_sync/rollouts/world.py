"""One feeder and one reconciler over a real log and a sandbox in the test's own process, and what operators do."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
from tests.support.eventually import eventually

from tool_sync import db
from tool_sync.domain.events import (
    AnsweredContract,
    BlueprintPublished,
    ContractsAnswered,
    Event,
    OrgRegistered,
    RolloutStage,
    SyncRequested,
)
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.fleet.rollout import Refused, RolloutCommand, RolloutState, decide_rollout, state_of
from tool_sync.log import EventLog, StoredEvent, fact, org_stream, read_org, rollout_stream, tool_stream
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts.applying import PlanChanged, apply_plan, plan_order
from tool_sync.rollouts.command import Decide, Written, write
from tool_sync.rollouts.feeder import WALK_AGAIN_SECONDS, Feeder
from tool_sync.rollouts.plan import Planned
from tool_sync.rollouts.publish import published
from tool_sync.rollouts.status import RolloutStatus, status_of
from tool_sync.rollouts.turns import is_settled
from tool_sync.sync.context import Context
from tool_sync.sync.loop import Reconciler
from zerotouch_contracts.canonical import model_hash

from .context import EVERYBODY, context_over
from .limits import AT, BOOKING, tool

TURNS_MAX = 200
"""A rollout of these tests needs about ten; one that hangs is told as that."""


@dataclass
class World:
    """What a test looks at and turns."""

    pool: db.Pool
    connection: db.Connection
    log: EventLog
    context: Context
    reconciler: Reconciler
    feeder: Feeder
    http: httpx.AsyncClient
    url: str
    admin_url: str
    since: int = 0
    agents: dict[UUID, list[str]] = field(default_factory=dict)
    gated: bool = False
    """Whether orders begin at a gate, as they do in production."""

    async def say(self, org_id: UUID, *events: Event) -> None:
        """Append what arrived for a clinic from outside."""
        for event in events:
            stream = org_stream(org_id)
            await self.log.append(
                fact(stream, org_id, event, source="/test", cause=str(uuid4()), actor="test", service_version="0")
            )

    async def clinic(self, *, assistants: int = 1, tier: str = "basic", org_id: UUID | None = None) -> UUID:
        """A clinic, with assistants that were saved and are not synced yet."""
        org_id = org_id or uuid4()
        await self.say(org_id, OrgRegistered(tier))
        self.agents[org_id] = []
        for n in range(assistants):
            await self.save(org_id, f"agent-{n}")
        return org_id

    async def save(self, org_id: UUID, agent_id: str) -> str:
        """A new assistant of the clinic; its id at Vapi."""
        body = {"name": "Front desk", "model": {"provider": "openai", "model": "gpt-4o"}}
        made = (await self.http.post("/assistant", json=body)).json()
        self.agents[org_id].append(made["id"])
        saved = SyncRequested(uuid4(), agent_id, made["id"], 1, model_hash(made["model"]), "save", "ab" * 16)
        await self.say(org_id, saved)
        return str(made["id"])

    async def clinics(self, count: int, *, assistants: int = 1, tier: str = "basic") -> list[UUID]:
        """So many clinics whose assistants are synced, ordered by their ids; the journal begins after that."""
        made = await asyncio.gather(*(self.clinic(assistants=assistants, tier=tier) for _ in range(count)))
        await self.sync()
        await self.begin()
        return sorted(made)

    async def publish(self, description: str, name: str = BOOKING, *, tier: str = "basic") -> int:
        """The number of a new version that says this."""
        file = tool(description, name, tier=tier)
        done = await self.decide(name, lambda fleet: published(fleet, file, AT))
        assert isinstance(done, Written), done
        assert isinstance(done.event, BlueprintPublished)
        return done.event.version

    async def decide(self, name: str, decide: Decide) -> Written | Refused:
        """Write what is decided about a tool."""
        return await write(self.log, tool_stream(name), decide, actor="operator")

    async def answered(self, *contracts: AnsweredContract) -> None:
        """From now on every process of assistant-api answers exactly these."""
        await write(self.log, "blueprint-~contracts", lambda _fleet: ContractsAnswered(contracts), actor="test")

    async def plan(
        self, version: int | None, steps: tuple[RolloutStage, ...] = (EVERYBODY,), name: str = BOOKING
    ) -> Planned:
        """A plan that is kept."""
        made = await plan_order(self.connection, self.log, name, version, steps, actor="operator")
        assert isinstance(made, Planned), made
        return made

    async def apply(
        self, rollout_id: str, digest: str | None = None, *, connection: "db.Connection | None" = None
    ) -> Written | Refused | PlanChanged:
        """Apply a plan."""
        return await apply_plan(
            connection or self.connection,
            self.log,
            rollout_id,
            reason="a test's",
            digest=digest,
            actor="operator",
            gated=self.gated,
        )

    async def start(
        self, version: int | None, steps: tuple[RolloutStage, ...] = (EVERYBODY,), name: str = BOOKING
    ) -> str:
        """Plan and apply; the rollout's id."""
        rollout_id = (await self.plan(version, steps, name)).order.rollout_id
        done = await self.apply(rollout_id)
        assert isinstance(done, Written), done
        return rollout_id

    async def command(self, rollout_id: str, what: RolloutCommand) -> Written | Refused:
        """What an operator commands."""
        return await write(
            self.log,
            rollout_stream(rollout_id),
            lambda fleet: decide_rollout(fleet, rollout_id, what, reason="a test's"),
            actor="operator",
        )

    async def sync(self) -> None:
        """Let the reconciler work until it finds nothing to claim."""
        while await self.reconciler.run_once():
            await self.reconciler.drain()

    async def turn(self) -> bool:
        """One turn of the feeder, and all the work that it makes; whether it was busy."""
        is_busy = await self.feeder.run_once()
        await self.sync()
        return is_busy

    async def rest(self) -> None:
        """Turns until the feeder has nothing to do at once."""
        for _ in range(TURNS_MAX):
            if not await self.turn():
                return
        raise AssertionError(f"the feeder is busy after {TURNS_MAX} turns")

    async def rest_a_minute_later(self) -> None:
        """The same once stages that wait are walked again: what was refused may be taken by then."""
        for walk in self.feeder._walks.values():
            walk.ended_at -= 1.01 * WALK_AGAIN_SECONDS
        await self.rest()

    async def until(self, rollout_id: str, state: RolloutState) -> None:
        """Turns until the rollout is in this state."""

        async def reached() -> bool:
            await self.turn()
            return await self.state(rollout_id) == state

        await eventually(reached, within_seconds=10)

    async def complete(self, version: int | None, name: str = BOOKING) -> str:
        """Order it for everybody and let that be done; the rollout's id."""
        rollout_id = await self.start(version, name=name)
        await self.rest()
        assert await self.state(rollout_id) == "completed", await self.status(rollout_id)
        return rollout_id

    async def fleet(self) -> Fleet:
        """As the log has it now."""
        return await fleet_of(self.connection)

    async def state(self, rollout_id: str) -> RolloutState | None:
        """A rollout's state."""
        return state_of(await self.fleet(), rollout_id)

    async def status(self, rollout_id: str) -> RolloutStatus:
        """What `rollout status` tells."""
        fleet = await self.fleet()
        order = fleet.order(rollout_id)
        assert order is not None
        return await status_of(self.connection, fleet, order)

    async def history(self, org_id: UUID, after: int | None = None) -> list[StoredEvent]:
        """A clinic's events, by default those since :meth:`begin`."""
        return await read_org(self.connection, org_id, self.since if after is None else after, 10_000)

    async def events(self, org_id: UUID, *types: type[Event]) -> list[Any]:
        """A clinic's events of these types, or all, since :meth:`begin`."""
        return [s.event for s in await self.history(org_id) if not types or isinstance(s.event, types)]

    async def positions(self, *types: str) -> list[int]:
        """Where events of these types stand in the log."""
        rows = await self.connection.fetch("SELECT position FROM events WHERE type = ANY ($1) ORDER BY 1", list(types))
        return [row["position"] for row in rows]

    async def versions(self, name: str = BOOKING) -> dict[UUID, int]:
        """By clinic that has the tool: the version that its row says."""
        rows = await self.connection.fetch(
            "SELECT org_id, definition_version FROM org_tools WHERE tool_name = $1 AND enabled", name
        )
        return {row["org_id"]: row["definition_version"] for row in rows}

    async def begin(self) -> None:
        """Forget what was asked of the sandbox, and what the clinics' streams hold so far."""
        await self.http.post("/__sandbox/reset", json={"only": ["journal"]})
        self.since = await self.connection.fetchval("SELECT max(position) FROM events")

    async def calls(self, *, reads: bool = False) -> list[str]:
        """The calls since :meth:`begin` as ``PATCH /tool/{id}``: the writes that were executed, or else the reads."""
        entries = (await self.http.get("/__sandbox/journal", params={"limit": 10_000})).json()["entries"]
        return [e["route"] for e in entries if (e["method"] == "GET") == reads and (reads or e["executed"])]

    async def at_vapi(self) -> dict[str, list[dict[str, Any]]]:
        """All tools and assistants of the account."""
        state = (await self.http.get("/__sandbox/state")).json()["vapi_orgs"]
        (account,) = state.values()
        return {"tools": account["tools"], "assistants": account["assistants"]}

    async def tool_of(self, org_id: UUID, name: str = BOOKING) -> dict[str, Any]:
        """The clinic's tool as Vapi has it."""
        tool_id = await self.connection.fetchval(
            "SELECT vapi_tool_id FROM org_tools WHERE org_id = $1 AND tool_name = $2", org_id, name
        )
        found: dict[str, Any] = (await self.http.get(f"/tool/{tool_id}")).json()
        return found

    async def linked(self, org_id: UUID) -> list[set[str]]:
        """What each assistant of the clinic names at Vapi, by the tools' names."""
        found = await self.at_vapi()
        names = {one["id"]: one["function"]["name"] for one in found["tools"]}
        by_id = {one["id"]: one for one in found["assistants"]}
        mine = [by_id[assistant_id]["model"].get("toolIds", []) for assistant_id in self.agents[org_id]]
        return [{names[tool_id] for tool_id in ids} for ids in mine]

    async def dials(self, **dials: Any) -> None:
        """Set the sandbox's dials."""
        answer = await self.http.put("/__sandbox/dials", json=dials)
        assert answer.status_code == 200, answer.text

    async def refuse(self, *org_ids: UUID, status: int = 400) -> None:
        """Let Vapi refuse every update of these clinics' tools."""
        action = {"kind": "status", "status": status, "json": {"message": "no", "statusCode": status}}
        await self.dials(
            rules=[
                {"route": "PATCH /tool/{id}", "match": {"organization_id": str(org_id)}, "action": action}
                for org_id in org_ids
            ]
        )

    def another_feeder(self) -> Feeder:
        """Another process's."""
        return Feeder(context_over(self.pool, self.log, self.http._transport), self.pool, on_fed=lambda: None)

    async def advance(self, by: timedelta) -> None:
        """Let the processes' clock be so much later, until the reconciler claims something."""
        self.context.clock.sync(self.context.clock.now() + by)

    async def settled(self, name: str = BOOKING) -> bool:
        """Whether every clinic is as decided since the newest change."""
        return await is_settled(self.connection, name, (await self.fleet()).changed_at[name])

    async def as_owner(self, statement: str, *arguments: Any) -> Any:
        """What a statement returns that the service itself may not execute."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            return await connection.fetchval(statement, *arguments)
        finally:
            await connection.close()

    async def free_turns(self) -> None:
        """Let the turns of every process be over, as if it had been gone for long."""
        await self.pool.execute("UPDATE fleet_turns SET until = now()")
