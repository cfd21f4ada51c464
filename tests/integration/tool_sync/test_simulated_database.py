"""The simulation's database is held to the real SQL: the same story is told to both, and both must answer alike.

A story is a seed: saves, outcomes, operators' words, claims, leases that run out, writes without a lease. At PostgreSQL
time passes by moving back what is stored of it. That a wrong statement is seen is shown by wrong statements.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest
from tests.simulation.checks import Checks
from tests.simulation.database import Database, time_of
from tests.simulation.faults import Faults, Plan
from tests.simulation.ports import SimStore

from devstack.fixtures import FreshDatabase
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, org_stream, toolset_stream
from tool_sync.sync import leases
from tool_sync.sync.leases import Claim, Release
from tool_sync.sync.store import PostgresStore

META = Meta("cause", "cause", None, "test", "0")
AGENTS = ("front-desk", "night")
LEASE_SECONDS = 30.0
# No sum of these is a lease or a pause: a comparison of times has a second to spare.
PASSING_SECONDS = (7.0, 11.0, 41.0)
SLACK_SECONDS = 3.0
STEPS = 60
SEEDS = range(1, 13)


LEASES = """
SELECT org_id, processed_position, dirty_position, token IS NULL AS free,
       extract(epoch FROM next_due - clock_timestamp())::float8 AS next_due,
       extract(epoch FROM until - clock_timestamp())::float8 AS until
  FROM leases
"""


class Simulated(SimStore):
    """The simulation's store without faults, at a time that the test sets."""

    def __init__(self) -> None:
        super().__init__(Database(), Faults(Plan(None)), Checks())
        self.seconds = 1000.0

    @property
    def now(self) -> float:
        """See `Ports.now`."""
        return self.seconds


@dataclass
class Story:
    """Both databases, and what was said to them so far."""

    dice: Random
    real: PostgresStore
    log: EventLog
    simulated: Simulated = field(default_factory=Simulated)
    requests: list[AppendRequest] = field(default_factory=list)
    claims: dict[UUID, tuple[Claim, Claim]] = field(default_factory=dict)
    """The newest claim of each org: PostgreSQL's, and the simulation's."""

    def __post_init__(self) -> None:
        self.orgs = [self.new_id() for _ in range(4)]

    def new_id(self) -> UUID:
        """A random id, the same in a replay."""
        return UUID(int=self.dice.getrandbits(128), version=4)

    async def tell(self) -> None:
        """One random step, to both."""
        step = self.dice.choice(
            (self.arrives, self.arrives, self.settles, self.repeats, self.writes, self.claims_some, self.claims_some,
             self.renews, self.releases, self.releases, self.time_passes)
        )  # fmt: skip
        await step()

    async def arrives(self) -> None:
        """A save, or what concerns the whole org."""
        org = self.dice.choice(self.orgs)
        event: e.Event = self.dice.choice(
            (
                self._save("save"), self._save("save"), self._save("auto_sync"),
                e.RequestUnreadable(self.new_id(), None), e.RetryRequested(None), e.OrgTierChanged("basic"),
                e.ToolOrdered("book", "r-1"),
            )
        )  # fmt: skip
        expected = self.dice.choice((None, None, self.simulated.database.versions.get(org_stream(org), 0), 1))
        await self.append(org_stream(org), org, event, expected=expected)

    async def settles(self) -> None:
        """An outcome of an assistant, of an unreadable save, or of all that concerned the org."""
        org = self.dice.choice(self.orgs)
        agent = self.dice.choice((*self._saved(org), None))
        through = self.dice.randint(0, len(self.simulated.database.events))
        failed = e.AssistantSyncFailed(agent, None, None, "account", (), (), "TS-901", (), through, None, 1)
        await self.append(toolset_stream(org), org, self.dice.choice((failed, failed, e.OrgSettled(through))))

    async def repeats(self) -> None:
        """What was appended before comes again, as after an answer that was lost."""
        if self.requests:
            await self._append(self.dice.choice(self.requests))

    async def writes(self) -> None:
        """A worker writes under the lease that it holds, or that it held before it slept."""
        leased = [org for org in self.orgs if org in self.claims and self._saved(org)]
        if leased:
            org = self.dice.choice(leased)
            mine, theirs = self.claims[org]
            event = e.DriftDetected(self.dice.choice(self._saved(org)), "assistant", f"hash {self.dice.randint(1, 9)}")
            strange = (self.new_id(), self.new_id()) if self.dice.random() < 0.3 else None
            await self.append(toolset_stream(org), org, event, tokens=strange or (mine.token, theirs.token))

    async def claims_some(self) -> None:
        """As many as are due, or fewer, saves and the oldest first."""
        database, now = self.simulated.database, self.simulated.now
        standing = database.standing(now)
        # Among those whose time has come PostgreSQL asks by that time, the simulation by position: both is fair.
        is_timed = any(lease.next_due is not None and lease.next_due <= now for lease in database.leases.values())
        most = len(self.orgs) if is_timed else self.dice.randint(1, 3)
        bulk = None if is_timed else (None, 0, 1)[len(database.events) % 3]
        real, _ = await self.real.claim(most, LEASE_SECONDS, bulk_max=bulk)
        theirs, _ = await self.simulated.claim(most, LEASE_SECONDS, bulk_max=bulk)
        assert lanes(real) == lanes(theirs), (most, bulk, standing)
        by_org = {claim.org_id: claim for claim in theirs}
        self.claims |= {claim.org_id: (claim, by_org[claim.org_id]) for claim in real}

    async def renews(self) -> None:
        """All that were ever claimed, those of which the lease has run out among them."""
        pairs = list(self.claims.values())
        real = await self.real.renew([mine for mine, _ in pairs], LEASE_SECONDS)
        assert real == await self.simulated.renew([theirs for _, theirs in pairs], LEASE_SECONDS)

    async def releases(self) -> None:
        """One is given back: what its holder had read, when it is due again, and whether it stands aside."""
        if not self.claims:
            return
        mine, theirs = self.claims[self.dice.choice(list(self.claims))]
        position = self.dice.randint(0, len(self.simulated.database.events))
        due, aside = self.dice.choice(((None, 0), (None, 0), (-10.0, 0), (10.0, 0), (20.0, 20)))
        now = await self.real.pool.fetchval("SELECT clock_timestamp()")
        release = Release(
            mine, position, None if due is None else now + timedelta(seconds=due), timedelta(seconds=aside)
        )
        await self.real.release([release])
        at = None if due is None else time_of(self.simulated.now + due)
        await self.simulated.release([replace(release, claim=theirs, next_due=at)])

    async def time_passes(self) -> None:
        """Leases run out, due times come."""
        seconds = self.dice.choice(PASSING_SECONDS)
        self.simulated.seconds += seconds
        await self.real.pool.execute(
            "UPDATE leases SET until = until - $1::interval, next_due = next_due - $1::interval",
            timedelta(seconds=seconds),
        )

    async def append(
        self, stream: str, org: UUID, event: e.Event, *, expected: int | None = None,
        tokens: tuple[UUID, UUID] | None = None,
    ) -> None:  # fmt: skip
        """One new event; ``tokens``: of the lease, PostgreSQL's and the simulation's."""
        mine, theirs = tokens or (None, None)
        new = (NewEvent(self.new_id(), event),)
        await self._append(AppendRequest(stream, org, expected, new, META, lease_token=mine), theirs)

    async def _append(self, request: AppendRequest, simulated_token: UUID | None = None) -> None:
        self.requests.append(request)
        real = await self.log.append(request)
        simulated = self.simulated.database.append(replace(request, lease_token=simulated_token), self.simulated.now)
        assert _known(real) == _known(simulated), request

    def _saved(self, org: UUID) -> tuple[str, ...]:
        """Agents of which anything can follow."""
        return tuple(self.simulated.database.assistants.get(org, ()))

    def _save(self, cause: str) -> e.SyncRequested:
        return e.SyncRequested(self.new_id(), self.dice.choice(AGENTS), "assistant", 1, "0" * 64, cause, None)

    async def compare(self) -> None:
        """The rows of both."""
        database = self.simulated.database
        pending = await self.real.pool.fetch("SELECT * FROM pending_syncs")
        assert {
            (row["org_id"], row["agent_id"]): (row["requested"], row["settled"], row["save_requested"])
            for row in pending
        } == {
            (org, agent): (row.requested, row.settled, row.save_requested)
            for org, rows in database.pending.items()
            for agent, row in rows.items()
        }
        agents = [(org, agent) for org in self.orgs for agent in AGENTS]
        assert await self.real.assistants(agents) == await self.simulated.assistants(agents)
        rows = {row["org_id"]: row for row in await self.real.pool.fetch(LEASES)}
        assert rows.keys() == database.leases.keys()
        for org, lease in database.leases.items():
            row = rows[org]
            assert (row["processed_position"], row["dirty_position"], row["free"]) == (
                lease.processed_position, lease.dirty_position, lease.token is None,
            )  # fmt: skip
            assert _alike_in_time(row["next_due"], lease.next_due, self.simulated.now)
            assert _alike_in_time(row["until"], lease.until, self.simulated.now)


def _alike_in_time(real: float | None, simulated: float | None, now: float) -> bool:
    """Both never, both over, or both at the same time from now on, but for what PostgreSQL has needed meanwhile."""
    if real is None or simulated is None:
        return real is simulated
    left = simulated - now
    return (real <= 0 and left <= 0) or abs(real - left) < SLACK_SECONDS


def _known(answer: Any) -> Mapping[str, Any]:
    """An answer without its time."""
    fields = {name: getattr(answer, name, None) for name in ("first_position", "version")}
    return {"answer": type(answer).__name__, **fields}


def lanes(claims: list[Claim]) -> dict[UUID, bool]:
    """Which orgs are claimed, and which of them as bulk work."""
    return {claim.org_id: claim.is_bulk for claim in claims}


async def told(seed: int, pool: db.Pool, log: EventLog) -> None:
    """A story from beginning to end."""
    story = Story(Random(seed), PostgresStore(pool), log)
    for _ in range(STEPS):
        await story.tell()
        await story.compare()


@pytest.mark.parametrize("seed", SEEDS)
async def test_both_answer_alike(seed: int, pool: db.Pool, log: EventLog) -> None:
    await told(seed, pool, log)


WRONG: Final = {
    "a claim takes what is held": ("CLAIM", "l.until <= clock_timestamp()", "true"),
    "a claimed org is due no more": ("CLAIM", "next_due = least(l.next_due, excluded.next_due)", "next_due = NULL"),
    "the newest are claimed first": ("CLAIM", "is_save DESC, first", "is_save DESC, first DESC"),
    "saves are not preferred": ("CLAIM", "is_save DESC, first", "is_save, first"),
    "bulk work has no limit": ("CLAIM", "place <= $4", "place <= $4 + 1000"),
    "saves have the limit of bulk work": ("CLAIM", "is_save = 1 OR place", "place"),
    "a save counts as bulk work": ("CLAIM", "picked.is_save = 0 AS is_bulk", "true AS is_bulk"),
    "what is due is not claimed": ("CLAIM", "l.next_due <= now()", "false"),
    "the walk goes past what is held": ("CLAIM", "NOT (l.token IS NULL AND l.until >", "NOT (l.until >"),
    "a lease that has run out is renewed": ("RENEW", "AND l.until > clock_timestamp()", ""),
    "another's lease is renewed": ("RENEW", "AND l.token = mine.token", ""),
    "another's lease is released": ("RELEASE", "AND l.token = done.token", ""),
    "a processed position falls": ("RELEASE", "= greatest(l.processed_position, ", "= greatest("),
    "what was written without the lease is not seen": (
        "RELEASE", "l.dirty_position > done.processed_position", "false",
    ),
    "what stands aside is free": ("RELEASE", "THEN clock_timestamp() + done.aside END", "THEN NULL::timestamptz END"),
}  # fmt: skip
"""What is wrong, and how it is made of a right statement."""


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_statement_is_seen(
    name: str, fresh_tool_sync_db: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    constant, right, wrong = WRONG[name]
    statement = getattr(leases, constant)
    assert right in statement
    monkeypatch.setattr(leases, constant, statement.replace(right, wrong))
    assert await _is_seen(fresh_tool_sync_db)


@asynccontextmanager
async def _opened(database_url: str) -> AsyncIterator[tuple[db.Pool, EventLog]]:
    pool = await db.SESSIONS.pool(database_url, size_max=2)
    log = EventLog(pool)
    running = asyncio.create_task(log.run_forever())
    try:
        yield pool, log
    finally:
        log.stop()
        await running
        await pool.close()


async def _is_seen(fresh: FreshDatabase, wrong: tuple[str, str, str] | None = None) -> bool:
    """Whether any story shows that the two differ."""
    for seed in SEEDS:
        if not await _alike(seed, fresh, wrong):
            return True
    return False


async def _alike(seed: int, fresh: FreshDatabase, wrong: tuple[str, str, str] | None = None) -> bool:
    urls = await fresh()
    if wrong is not None:
        await _spoil(urls.owner, *wrong)
    async with _opened(urls.service) as (pool, log):
        try:
            await told(seed, pool, log)
        except AssertionError:
            return False
    return True


WRONG_FUNCTIONS: Final = {
    "a write without the lease is not due": ("append", "next_due = least(l.next_due, clock_timestamp())", ""),
    "a version may be any": ("append", "expected[r] <> versions[s]", "false"),
    "an outcome settles nothing": ("fold_pending_syncs", "settled = greatest(p.settled, excluded.settled)", ""),
    "a failure is none": ("fold_assistants", "THEN 'failed'", "THEN 'synced'"),
    "somebody else's change is not noted": ("fold_assistants", "drift_hash = excluded.drift_hash", ""),
    "auto-syncs are saves": ("fold_pending_syncs", "e.data->>'cause' <> 'auto_sync'", "true"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_FUNCTIONS)
async def test_a_wrong_function_is_seen(name: str, fresh_tool_sync_db: FreshDatabase) -> None:
    assert await _is_seen(fresh_tool_sync_db, WRONG_FUNCTIONS[name])


async def _spoil(owner_url: str, function: str, right: str, wrong: str) -> None:
    connection = await asyncpg.connect(owner_url)
    definition = await connection.fetchval("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = $1", function)
    assert right in definition, definition
    # A list of assignments stays one where one is taken out of it.
    await connection.execute(definition.replace(f", {right}", "").replace(f"{right},", "").replace(right, wrong))
    await connection.close()
