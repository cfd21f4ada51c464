"""The loop: claims orgs, runs them side by side, keeps their leases and gives them back.

One org's exception never ends the process and never touches another org: it is logged, the org is released and comes
back after a pause. An org whose log holds what this release does not know is put aside until the next release.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.domain.plan.assistants import agents_with_work
from tool_sync.log import LogUnavailable, UnknownEvent
from tool_sync.sync.context import Context
from tool_sync.sync.knowledge import PAGE_AGENTS
from tool_sync.sync.leases import Claim, Release
from tool_sync.sync.load import LoadedOrg, load_many
from tool_sync.sync.run import Run
from tool_sync.sync.whose import context_of
from tool_sync.vapi.accounts import Unusable
from zerotouch_platform.loops import Loop
from zerotouch_platform.telemetry import start_loop

log = structlog.get_logger(__name__)

SET_ASIDE_SECONDS: Final = 60.0
"""After a fault of ours in one org: long enough not to spin, short enough that a repaired release is noticed."""
BULK_ORGS_MAX: Final = 128
"""Of orgs that are worked on at once, those in which nobody waits for a save. With a call each under way they use what
a key allows, also of a Vapi that takes seconds; a thousand are a queue before Vapi, and a save stands behind it (p99
3.2 s beside a rollout, ADR 68)."""
OWN_ORGS_MAX: Final = 16
"""Of orgs that are worked on at once, those of one account that is a clinic's own: an account that hangs holds so many
runs, for one deadline, and leaves the others their room. A call each under way is more than a key's rate."""
STOP_GRACE_SECONDS: Final = 1.5
"""Most calls end well within it; the whole process must stop within 5 s."""


class Reconciler:
    """Runs until :meth:`stop`; any number of processes may run one, the leases divide the orgs between them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._loop = Loop(
            self.run_once,
            context.limits.poll_seconds_max,
            "Reconciler waits",
            (LogUnavailable, *db.WAITED_OUT_ERRORS),
            fault="Reconciler waits for a fault of ours",
            eager=True,
        )
        self.wake: Final = self._loop.wake
        """Something was appended: look for work now instead of at the next poll."""
        self._holding = asyncio.Event()
        self._runs: dict[UUID, asyncio.Task[None]] = {}
        self._bulk = 0
        self._own: Counter[str] = Counter()
        self._held: dict[UUID, tuple[Claim, float]] = {}
        self._finished: list[Release] = []
        self._opened = False

    @property
    def in_flight(self) -> int:
        """Orgs that are being worked on."""
        return len(self._runs)

    async def run_forever(self) -> None:
        """Work until stopped. While the database is away it waits, and says so once."""
        renewing = start_loop(self._renew_forever(), name="renew leases")
        try:
            await self._loop.run_forever()
        finally:
            renewing.cancel()
            await self._abandon()

    async def run_once(self) -> bool:
        """Give back what is finished, claim what is due and start it; True where an org was claimed.

        Tests call this and then :meth:`drain`.
        """
        if not self._opened:
            await self._context.key.open()
            self._opened = True
        await self._release()
        if self._context.writes_suspended():
            return False
        limits = self._context.limits
        room = min(self._context.concurrency.orgs - len(self._runs), limits.claim_batch_max)
        if room <= 0:
            return False
        claimed_at = self._context.clock.monotonic()
        bulk_room = max(0, BULK_ORGS_MAX - self._bulk)
        own_rooms = {account: OWN_ORGS_MAX - runs for account, runs in self._own.items()}
        claims, now = await self._context.store.claim(
            room, limits.lease_seconds, bulk_max=bulk_room, own_max=OWN_ORGS_MAX, own_rooms=own_rooms
        )
        if now is None:
            return False
        self._context.clock.sync(now)
        for claim in claims:
            self._held[claim.org_id] = (claim, claimed_at + limits.lease_seconds)
        self._holding.set()
        await self._start(claims)
        return True

    async def drain(self) -> None:
        """Wait until every started run has ended, and give all orgs back."""
        while self._runs:
            await asyncio.wait(list(self._runs.values()))
        await self._release()

    def stop(self) -> None:
        """Claim nothing more and end :meth:`run_forever`."""
        self._loop.stop()

    async def _start(self, claims: list[Claim]) -> None:
        try:
            loaded = await load_many(self._context, [claim.org_id for claim in claims])
            now = self._context.clock.now()
            assistants = await self._context.store.assistants(
                [
                    (org_id, agent_id)
                    for org_id, item in loaded.items()
                    if isinstance(item, LoadedOrg)
                    for agent_id in agents_with_work(item.state, now)[:PAGE_AGENTS]
                ],
            )
            contexts = {
                org_id: await context_of(self._context, org_id, item.state, assistants.get(org_id, {}))
                for org_id, item in loaded.items()
                if isinstance(item, LoadedOrg)
            }
        except BaseException:
            for claim in claims:
                self._give_back(claim, self._context.limits.poll_seconds_max)
            raise
        for claim in claims:
            org = loaded[claim.org_id]
            if isinstance(org, UnknownEvent):
                log.error("Org set aside", org_id=str(claim.org_id), reason=str(org), alarm=True)
                self._give_back(claim, SET_ASIDE_SECONDS)
                continue
            context, rows = contexts[claim.org_id], assistants.get(claim.org_id, {})
            if isinstance(context, Unusable):
                await self._wait_for_account(claim, org, context)
                continue
            run = Run(context, claim, org, rows, self._holds(claim))
            account = context.own_account
            self._bulk += claim.is_bulk
            if account is not None:
                self._own[account] += 1
            self._runs[claim.org_id] = asyncio.create_task(
                self._run(claim, run, account), name=f"sync {claim.org_id}", context=run.in_span
            )

    async def _wait_for_account(self, claim: Claim, org: LoadedOrg, unusable: Unusable) -> None:
        """Give an org back as one whose key is paused: nothing was tried, and nothing counts against it."""
        until = await self._context.accounts.wait_for(unusable, self._context.clock.now())
        self._finished.append(Release(claim, org.state.position, until, waits_for_key=unusable.key))

    async def _run(self, claim: Claim, run: Run, account: str | None) -> None:
        try:
            release = await run.execute()
        except asyncio.CancelledError:
            self._give_back(claim, 0.0)
            raise
        except (LogUnavailable, *db.WAITED_OUT_ERRORS) as error:
            log.warning("Sync interrupted", org_id=str(claim.org_id), reason=str(error))
            self._give_back(claim, self._context.limits.poll_seconds_max)
        except Exception:
            log.exception("Sync failed for a fault of ours", org_id=str(claim.org_id), alarm=True)
            self._give_back(claim, SET_ASIDE_SECONDS)
        else:
            self._finished.append(release)
        finally:
            self._runs.pop(claim.org_id, None)
            self._bulk -= claim.is_bulk
            if account is not None:
                self._own -= Counter({account: 1})
            self.wake()

    def _give_back(self, claim: Claim, seconds: float) -> None:
        """Release without having looked at anything; nobody takes it before ``seconds`` are over."""
        aside = timedelta(seconds=seconds)
        due = self._context.clock.now() + aside
        self._finished.append(Release(claim, processed_position=0, next_due=due, aside=aside))

    def _holds(self, claim: Claim) -> Callable[[], bool]:
        def holds() -> bool:
            held = self._held.get(claim.org_id)
            return held is not None and held[0] == claim and self._context.clock.monotonic() < held[1]

        return holds

    async def _release(self) -> None:
        finished, self._finished = self._finished, []
        if not finished:
            return
        try:
            await self._context.store.release(finished)
        except BaseException:
            self._finished = finished + self._finished
            raise
        for release in finished:
            held = self._held.get(release.claim.org_id)
            if held is not None and held[0] == release.claim:
                del self._held[release.claim.org_id]

    async def _renew_forever(self) -> None:
        limits = self._context.limits
        while True:
            await self._holding.wait()
            await asyncio.sleep(limits.lease_renew_seconds)
            claims = [claim for claim, _ in self._held.values()]
            if not claims:
                self._holding.clear()
                continue
            renewed_at = self._context.clock.monotonic()
            try:
                ours = await self._context.store.renew(claims, limits.lease_seconds)
            except Exception as error:
                log.warning("Leases not renewed", reason=type(error).__name__, count=len(claims))
                continue  # they run out by themselves, and nothing is sent after that
            for claim in claims:
                if claim.org_id in ours:
                    self._held[claim.org_id] = (claim, renewed_at + limits.lease_seconds)
                elif self._held.get(claim.org_id, (None,))[0] == claim:
                    del self._held[claim.org_id]  # somebody else's by now: nothing more is sent

    async def _abandon(self) -> None:
        """Let runs finish for a moment, so that nothing is done twice; then end them.

        What was announced stays announced: the next holder finds out what became of it.
        """
        if self._runs:
            await asyncio.wait(list(self._runs.values()), timeout=STOP_GRACE_SECONDS)
        for task in list(self._runs.values()):
            task.cancel()
        if self._runs:
            await asyncio.wait(list(self._runs.values()))
        try:
            await self._release()
        except Exception as error:
            log.warning("Leases not given back", reason=type(error).__name__)
