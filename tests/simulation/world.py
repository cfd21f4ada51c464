"""One run: workers over the simulated world, saves and faults for a while, then peace, then the checks at rest."""

import asyncio
import gc
import hashlib
import logging
import sys
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import structlog
from tests.support.unlimited import Unlimited

from tool_sync.domain import events as e
from tool_sync.domain.plan.situation import Policy
from tool_sync.log import LogUnavailable
from tool_sync.sync.blueprint import seed
from tool_sync.sync.concurrency import ConcurrencyLimiter
from tool_sync.sync.context import Clock, Context, FleetView, Limits
from tool_sync.sync.loop import Reconciler
from tool_sync.vapi.client import VapiClient
from zerotouch_platform import telemetry
from zerotouch_platform.vapi.clock import VapiClock

from . import process
from .book import Reader
from .checks import Checks
from .clinic import Agent, Clinic
from .creations import Creations
from .database import Database, time_of
from .faults import KILL_RESTART_SECONDS, PLATFORM_FAULTS, Faults, Plan
from .feeder import Feeder
from .gone import Gone
from .grace import Grace
from .in_place import InPlace
from .lives import Lives
from .log import SimLog
from .loop import VirtualLoop
from .ordering import Ordering
from .orders import Orders
from .people import People
from .planning import waits, watched
from .ports import SimStore
from .process import Process
from .releases import INSTALLATION, OLD, TOOL_NAMES, releases_of
from .rest import Rest
from .restore import Restore
from .rows import RowsSetBack
from .scripts import TOOL_NAME, TROUBLE_SECONDS, Scripts
from .sending import Sending
from .topic import Topic
from .vapi import Server, Transport
from .wording import Wording
from .words import Words

EXPECTED_ALARMS: Final = ("Assistant belongs to another clinic or installation",)
"""What is told to people because people have made a mistake."""
POLICY: Final = Policy(
    settle=timedelta(seconds=20),
    give_up=timedelta(seconds=3600),
    look_again=timedelta(seconds=900),
    diverged_look=timedelta(seconds=5),
    diverged_give_up=timedelta(seconds=600),
    retry_seconds_base=1,
    retry_seconds_max=300,
    tool_grace=timedelta(hours=24),
    # An hour each in production; all that happens in an hour of peace is that the loop looks at its leases.
    surplus_age=timedelta(minutes=3),
    sweep_every=timedelta(minutes=3),
)
LIMITS: Final = Limits(
    send_window_seconds=1,
    lease_seconds=5,
    lease_renew_seconds=1.5,
    claim_batch_max=200,
    steps_per_org_max=4,
    poll_seconds_max=600,  # it is woken, see World._wake_forever; hours of polling would only cost time
    snapshot_after_events=8,
)
DEADLINE_SECONDS: Final = 10.0

PEACE_SECONDS_MAX: Final = 30 * 3600.0
WORKERS: Final = 2
WAKE_SECONDS: Final = 0.5
EDIT_SECONDS: Final = 5.0
SEED_AGAIN_SECONDS: Final = 1.0
PIN_SECONDS: Final = (2.0, 10.0, 40.0, 3600.0)
HOURS: Final = ((1, 90), (2, 90), (-60, 1), (-60, 2), (180, 300), (-60, 60))
"""Change windows, in minutes from the one that is now: about to open, about to close, closed and open for long."""
ALARMS_MAX: Final = 5

OFF: Final = telemetry.off()


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did. ``trace`` is a hash of everything that happened in the log: a replay has the same."""

    plan: Plan
    violations: tuple[str, ...]
    fired: Counter[str]
    reached: Counter[str]
    steps: int
    vapi_calls: int
    saves: int
    virtual_seconds: float
    trace: str
    story: tuple[str, ...]

    @classmethod
    def of_broken(cls, plan: Plan, error: Sequence[str]) -> "Result":
        """Of a run that raised instead of ending; ``error`` is what it said, line by line."""
        return cls(
            plan, (f"the run itself broke: {error[-1].strip()}",), Counter(), Counter(), 0, 0, 0, 0.0, "", tuple(error)
        )


def run(plan: Plan, *, tell: bool = False) -> Result:
    """One run, from beginning to rest. With ``tell`` the result holds the story of every event."""
    gc.disable()  # nothing ends at a moment that depends on what ran before
    try:
        return _run(plan, tell=tell)
    finally:
        gc.collect(0)
        gc.enable()


def _run(plan: Plan, *, tell: bool) -> Result:
    alarms: list[str] = []
    _listen(alarms)
    loop = VirtualLoop(plan.seed)
    process.install(loop)
    loop.set_exception_handler(lambda _loop, _context: None)  # killed tasks are never retrieved
    asyncio.set_event_loop(loop)
    world = World(plan)
    try:
        try:
            with watched(lambda what: world.checks.violated(loop.time(), what)):
                loop.run_until_complete(world.live())
        except Exception as error:  # with its plan, so that it can be run again
            world.checks.violated(loop.time(), f"the run itself ended: {error!r}")
        for alarm in alarms:
            world.checks.violated(loop.time(), f"a fault of ours: {alarm}")
        return world.result(loop.time(), tell=tell)
    finally:
        _forget(loop, world)


def _listen(alarms: list[str]) -> None:
    """An alarm means a bug of ours; everything else that is logged is thrown away."""

    def keep_alarms(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Any:
        if event.get("alarm") and event["event"] not in EXPECTED_ALARMS and len(alarms) < ALARMS_MAX:
            error = sys.exc_info()[1]
            trace = traceback.extract_tb(error.__traceback__)[-1] if error is not None else ""
            alarms.append(f"{event['event']}: {error!r} {event.get('reason', '')} {trace}")
        raise structlog.DropEvent

    structlog.configure(processors=[keep_alarms], wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def _forget(loop: VirtualLoop, world: "World") -> None:
    """Throw the loop away with everything that still waits in it; none of it is to be told that it ends."""
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    world.forget()
    sys.unraisablehook = lambda _: None  # their frames end when they are collected, on a closed loop
    asyncio.set_event_loop(None)
    loop.forget()


class World:
    """The parts, and who does what when."""

    _limits = LIMITS

    def __init__(self, plan: Plan) -> None:
        self.faults = Faults(plan)
        self.checks = Checks()
        self.database = Database()
        self.server = Server(self.faults, self.checks)
        self.topic = Topic(self.database, Random(f"topic {plan.seed}"))
        self.clinic = Clinic(self.database, self.topic, self.server, self.faults, self.checks, INSTALLATION)
        self.random = Random(f"world {plan.seed}")
        self._policy = POLICY
        if plan.seed is None and plan.script in ("creations", "own words"):  # so that a run lasts minutes
            minute = timedelta(minutes=1)
            self._policy = replace(POLICY, tool_grace=2 * minute, surplus_age=minute, sweep_every=minute)
        grace_seconds = self._policy.tool_grace.total_seconds()
        self.lives = Lives(self.faults)
        self.creations = Creations(
            self.database, self.clinic, self.server, self.lives, self.checks, grace_seconds, LIMITS.send_window_seconds
        )  # fmt: skip
        self.people = People(self.clinic, self.server, self.faults, Random(f"people {plan.seed}"), TOOL_NAME)
        self.log = SimLog(self.database, self.faults, self.checks)
        self.store = SimStore(self.database, self.faults, self.checks)
        self.transport = Transport(self.server, self.faults, self.checks, self._on_send)
        read, late = self.transport.read, self.transport.late
        self.wording = Wording(self.database, self.server, self.checks, read, late)
        self.log.on_written = self.wording.written
        self.sending = Sending(
            self.database, self.log, self.server, self.checks, LIMITS.send_window_seconds, read, self.wording
        )
        reader = Reader()
        self.rest = Rest(self.database, self.server, self.clinic, self.checks, late, reader, self.wording)
        self.words = Words(
            self.database, self.log, self.clinic, self.rest, self.lives, self.checks, self.wording
        )  # fmt: skip
        self.releases = releases_of(self.faults)
        self.orders = Orders.by_chance(self.database, self.topic, self.clinic, self.checks, self.faults, reader)
        self.feeder = Feeder(self.database, self.rest, self.checks, self.faults, self._wake)
        self.ordering = Ordering(self.database, self.checks, self.log)
        self.in_place = InPlace(self.database, self.server, self.checks)
        self.store.on_release = self._on_release
        self.store.on_claim = lambda org_id: self.in_place.claimed(org_id, self.rest.state_of(org_id))
        self._workers: list[Process] = []
        self._reconcilers: dict[int, Reconciler] = {}
        self._background: list[asyncio.Task[None]] = []
        self._stopped = False
        self._heard = 0
        self._lost: list[str] = []

    def forget(self) -> None:
        """The run is over."""
        for worker in (*self._workers, *self.lives.processes):
            for task in worker.tasks:
                task.forget()

    # --- tool-sync ----------------------------------------------------------------------------------------------------

    def _start_worker(self, number: int) -> None:
        worker = Process(f"worker-{number}", self._on_step)
        self._workers.append(worker)  # the killed ones too, see Process.tasks
        process.start(worker, self._work(number))

    def _vapi(self) -> VapiClient:
        now = asyncio.get_running_loop().time
        return VapiClient(
            "http://vapi", lambda: "key", account="platform", deadline_seconds=DEADLINE_SECONDS,
            transport=self.transport, telemetry=OFF, clock=VapiClock(now, lambda: time_of(now())),
        )  # fmt: skip

    async def _work(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        blueprint = self.releases[len(self._workers) % len(self.releases)]
        while True:
            try:
                await seed(self.log, blueprint, "0")
                break
            except (LogUnavailable, ConnectionError):
                await asyncio.sleep(SEED_AGAIN_SECONDS)
        context = Context(
            log=self.log,
            store=self.store,
            vapi=self._vapi(),
            blueprint=blueprint,
            fleet=FleetView(),
            policy=self._policy,
            limits=self._limits,
            telemetry=OFF,
            service_version="0",
            concurrency=ConcurrencyLimiter(100, slow_seconds=0.4, monotonic=loop.time),
            key=Unlimited(),
            clock=Clock(loop.time),
            new_id=self.log.new_id,
            jitter=self.random.random if self.faults.chance else lambda: 0.5,
        )  # fmt: skip
        reconciler = self._reconcilers[number] = Reconciler(context)
        await reconciler.run_forever()

    def _wake(self) -> None:
        for reconciler in self._reconcilers.values():
            reconciler.wake()

    async def _wake_forever(self) -> None:
        """What polling does, without polling through the hours in which nothing is due."""
        loop = asyncio.get_running_loop()
        while True:
            pause = WAKE_SECONDS
            if self.database.standing(loop.time()):
                self._wake()
            elif self.faults.healed:
                times = (t for lease in self.database.leases.values() for t in (lease.next_due, lease.until) if t)
                ahead = min((t - loop.time() for t in times if t > loop.time()), default=LIMITS.poll_seconds_max)
                pause = max(pause, min(ahead, LIMITS.poll_seconds_max if self.database.is_quiet() else 10 * pause))
            await asyncio.sleep(pause)

    def _on_step(self, worker: Process, _steps: int) -> None:
        point = self.faults.at_step()
        if point is None:
            return
        if point.kills:
            worker.kill()
            number = int(worker.name.removeprefix("worker-"))
            asyncio.get_running_loop().call_later(KILL_RESTART_SECONDS, self._restart, number)
        else:
            now = asyncio.get_running_loop().time()
            self.log.stalls.note(worker.name, now, now + point.seconds)
            worker.pause(point.seconds)

    def _restart(self, number: int) -> None:
        process.outside(self._restarted(number))

    async def _restarted(self, number: int) -> None:
        if not self._stopped and self._living(number).dead:
            self._start_worker(number)

    def stop_all(self) -> None:
        """tool-sync is stopped for a restore: what is lost of the log is still told with the run."""
        self._stopped = self.feeder.is_stopped = True
        for number in range(WORKERS):
            self._living(number).kill()
        self.ordering.judge()
        self._lost += [f"before a restore: {line}" for line in self._story()]

    def start_all(self) -> None:
        """tool-sync is started on the restored log, of which nobody has heard anything yet."""
        self._stopped = self.feeder.is_stopped = False
        self._heard = len(self.database.events)
        self.rest.forget()
        self.feeder.forget()
        self.in_place.forget()
        for number in range(WORKERS):
            self._start_worker(number)

    def _on_send(self, sender: Process | None, method: str, path: str, body: Any) -> None:
        self.sending.check(sender, method, path, body)
        if sender is not None:
            self.in_place.called(sender, method, path)

    def _on_release(self, org_id: UUID) -> None:
        """What waits when a clinic is given back has a time at which somebody looks at it again."""
        now, lease = asyncio.get_running_loop().time(), self.database.leases[org_id]
        self.in_place.released(now, org_id)
        is_due = lease.until is not None or lease.next_due is not None or org_id in self.database.standing(now)
        if not is_due and waits(self.rest.state_of(org_id), time_of(now)):
            self.checks.violated(now, f"something of {org_id} waits, and nobody will look")

    def _living(self, number: int) -> Process:
        return next(worker for worker in reversed(self._workers) if worker.name == f"worker-{number}")

    # --- the run ------------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Trouble, then peace until nothing is open, then the checks at rest."""
        by_chance = self.faults.plan.is_by_chance
        if not by_chance or self.random.random() < 0.5:  # otherwise the workers do, each with what its release has
            await seed(SimLog(self.database, Faults(Plan(None)), self.checks), OLD, "0")
        for number in range(WORKERS):
            self._start_worker(number)
        always = (self._wake_forever(), self._heal_forever(), self.feeder.feed_forever())
        self._background = [process.outside(each) for each in always]
        await (self._by_chance() if by_chance else self._scripts().live(self.faults.plan.script))
        self.faults.healed = True
        if not self.faults.has("stay_mixed"):
            self.orders.end_all()
        keep = self.people.planted and self.random.random() < 0.5
        if not keep:
            self.people.take_all_back()
        if by_chance:  # so that what the trouble left undone is wanted by somebody
            self.people.clear_up()
            for org_id in self.rest.orgs():
                self._audit(org_id)
                for agent in self.rest.agents(org_id):
                    await self.clinic.save(agent)
        if keep and self.random.random() < 0.5:  # then it is found by a look, not by a save
            # Nobody can tell who wrote what where a link overwrites a save and somebody edits that within a second.
            await asyncio.sleep(EDIT_SECONDS)
            self.people.take_all_back()
        await self._until_at_rest()
        if by_chance:  # nobody saves any more, and nothing fails
            await self._later_still()
            await self._until_at_rest()
        await self._judge()

    async def _later_still(self) -> None:
        """Something is edited that only an audit finds, and something else is ordered."""
        agents = [agent for agent in self.clinic.agents if not agent.removed]
        if agents and self.faults.later and self.random.random() < 0.5:
            await self.people.edit(self.random.choice(agents))
            await self._until_at_rest()
        if self.orders.has_work:
            for _ in range(self.random.randint(1, 3)):
                self.orders.act()

    def _scripts(self) -> Scripts:
        return Scripts(
            self.clinic, self.creations, self.orders, self.people, self.server, self.rest, self._restore(), self.words
        )  # fmt: skip

    async def _by_chance(self) -> None:
        until = asyncio.get_running_loop().time() + TROUBLE_SECONDS
        for number in range(self.random.randint(1, 3)):
            org_id = self.clinic.organization(number + 1)
            for n in range(self.random.randint(1, 2)):
                self.clinic.agent(org_id, f"agent-{number}-{n}")
        acts: list[asyncio.Task[None]] = []
        if self.faults.has("restore"):
            acts.append(process.outside(self._restore().live()))
        acts += [process.outside(machine.live()) for machine in self._machines()]
        if self.orders.has_work:
            acts.append(process.outside(self.orders.live(TROUBLE_SECONDS)))
        if self.faults.has("signup"):
            acts.append(process.outside(self._sign_up()))
        while asyncio.get_running_loop().time() < until:
            acts.append(process.outside(self._something()))
            await asyncio.sleep(self.random.choice((0.05, 1.0, 5.0, 15.0)))
        await asyncio.gather(*acts)

    async def _sign_up(self) -> None:
        """Clinics come while orders are given."""
        for number in range(10, 10 + self.random.randint(1, 2)):
            await asyncio.sleep(TROUBLE_SECONDS / 2 * self.random.random())
            await self.clinic.save(self.clinic.agent(self.clinic.organization(number), f"signed-up-{number}"))

    def _restore(self) -> Restore:
        dice = Random(f"restore {self.faults.plan.seed}")
        settle_seconds = POLICY.settle.total_seconds()
        return Restore(
            self.database, self.store, self.topic, self.checks, self, self._vapi, settle_seconds, dice
        )  # fmt: skip

    def _machines(self) -> Iterator[Gone | RowsSetBack]:
        """What else happens to databases and topics, where it can be told apart from what happens beside it."""
        faults, dice = self.faults, Random(f"machines {self.faults.plan.seed}")
        if faults.has_without("records_gone", ("restore",)):
            yield Gone(self.topic, self.checks, dice, made_again=False)
        elif faults.has_without("topic_made_again", ("restore",)):
            yield Gone(self.topic, self.checks, dice, made_again=True)
        if faults.has_without("rows_set_back", PLATFORM_FAULTS):
            yield RowsSetBack(self.clinic, self.server, self.checks, dice)

    async def _something(self) -> None:
        agents = [agent for agent in self.clinic.agents if not agent.removed]
        if not agents:
            return
        agent = self.random.choice(agents)
        chosen = self.random.random
        if await self._something_later(agent):
            return
        if self.faults.hits("outsider_edits"):
            await self.people.edit(agent)
        elif self.faults.hits("tier"):
            self.clinic.change_tier(agent.org_id, self.random.choice(("basic", "professional")))
        elif self.faults.hits("setting"):
            self.people.switch(agent.org_id, TOOL_NAME, on=chosen() < 0.5)
        elif self.faults.hits("remove_assistant"):
            self.clinic.remove(agent)
        elif self.faults.hits("close_org"):
            self.clinic.close(agent.org_id)
        else:
            await self.clinic.save(agent, "save" if chosen() < 0.7 else "auto_sync")

    async def _something_later(self, agent: Agent) -> bool:
        """What came to the simulation later; whether anything of it happened."""
        faults, others = self.faults, [a for a in self.clinic.agents if not a.removed and a.org_id != agent.org_id]
        if faults.hits("retry_one"):
            self.people.retry(agent.org_id, agent.agent_id)
        elif faults.hits("retry_all"):
            self.people.retry(agent.org_id, None)
        elif faults.hits("audit"):
            self._audit(agent.org_id)
        elif others and faults.hits("exchange"):
            await self.clinic.exchange(agent, self.random.choice(others))
        elif others and faults.hits("hand_on"):
            await self.clinic.hand_on(agent, self.random.choice(others))
        elif others and agent.provisioned and faults.hits("forged_save"):
            self.people.confuse(agent, self.random.choice(others).org_id)
        elif faults.hits("born_again"):
            await self.clinic.save(self.clinic.born_again(agent))
        elif not self._sets_back and faults.hits("known_tools"):
            await self.creations.make(agent.org_id, f"made-{len(self.lives.processes)}", self._sleeping())
        elif faults.hits("pin"):
            self._pin(agent.org_id)
        elif faults.hits("window"):
            self._keep_to_hours(agent.org_id)
        elif faults.hits("reword"):
            self.people.reword(agent.org_id)
            self._audit(agent.org_id)
        else:
            return self.people.plant(agent)
        return True

    def _pin(self, org_id: UUID) -> None:
        """A clinic is to stay at some version of a tool for a while, or that is taken back."""
        tool, now = self.random.choice(TOOL_NAMES), asyncio.get_running_loop().time()
        versions = [version for (name, _), version in self.orders.book.versions.items() if name == tool]
        if not versions or self.random.random() < 0.25:
            self.people.unpin(org_id, tool)
        else:
            until = time_of(now + self.random.choice(PIN_SECONDS))
            self.people.pin(org_id, self.random.choice(versions), until)

    def _keep_to_hours(self, org_id: UUID) -> None:
        """A clinic gets a change window, whose edge may be in this run, or loses it."""
        now, (opens, closes) = int(asyncio.get_running_loop().time() // 60), self.random.choice(HOURS)
        if self.random.random() < 0.25:
            self.people.keep_to_no_hours(org_id)
        else:
            self.people.keep_to(org_id, _clock(now + opens), _clock(now + closes))

    @property
    def _sets_back(self) -> bool:
        """Whether a database is set back in this run: it may have forgotten a creation, which its own ring tries."""
        return any(self.faults.rate(name) > 0 for name in ("restore", "rows_set_back"))

    def _sleeping(self) -> Callable[[], Awaitable[None]] | None:
        """How long the sender of a creation sleeps, mostly not at all."""
        seconds = self.random.choice((0.0, 0.0, 0.0, 5.0, 60.0))
        return (lambda: asyncio.sleep(seconds)) if seconds else None

    async def _heal_forever(self) -> None:
        """assistant-api hears of diverged assistants and writes them again."""
        while True:
            await asyncio.sleep(30.0 if self.faults.healed else 1.0)
            new, self._heard = self.database.events[self._heard :], len(self.database.events)
            for stored in new:
                if isinstance(stored.event, e.AssistantDiverged):
                    for agent in self.clinic.agents:
                        same = (agent.org_id, agent.agent_id) == (stored.org_id, stored.event.agent_id)
                        if same and agent.revision == stored.event.revision:
                            await self.clinic.heal(agent)

    async def _until_at_rest(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + PEACE_SECONDS_MAX
        while loop.time() < until:
            await asyncio.sleep(30.0)
            if self.database.is_quiet() and not self.rest.unfinished() and not self._audited():
                return
        left = self.rest.unfinished()
        self.checks.violated(loop.time(), f"not at rest after {PEACE_SECONDS_MAX / 3600:g} h: {left}")

    async def _judge(self) -> None:
        loop = asyncio.get_running_loop()
        self.rest.check(loop.time(), alone=len(self.releases) == 1 and not self.orders.has_work)
        if not self.faults.later:  # somebody who edits tools and links by hand may keep one from its deletion for ever
            watch_seconds = self._policy.tool_grace.total_seconds()
            await Grace(self.database, self.server, self.clinic, self.checks, self.rest, watch_seconds).passes()
        self.ordering.judge()

    def _audit(self, org_id: UUID) -> None:
        rows, before = tuple(self.database.assistants.get(org_id, {}).values()), len(self.database.events)
        self.people.audit(org_id, self.rest.state_of(org_id), rows)
        for stored in self.database.events[before:]:
            self.checks.reached[f"audit {type(stored.event).__name__}"] += 1

    def _audited(self) -> bool:
        """Whether an audit, as operators make it every day, finds something that nobody knew: then it goes on."""
        before = len(self.database.events)
        for org_id in self.rest.orgs() if self.faults.later else ():
            self._audit(org_id)
        return len(self.database.events) > before

    def _story(self) -> list[str]:
        return [f"{s.position} {s.org_id} {s.version} {s.recorded_at} {s.event}" for s in self.database.events]

    def result(self, now: float, *, tell: bool) -> Result:
        """What became of it."""
        story = (*self._lost, *self._story())
        trace = hashlib.sha256("\n".join(story).encode()).hexdigest()
        return Result(
            plan=self.faults.plan,
            violations=tuple(self.checks.violations),
            fired=self.faults.fired,
            reached=self.checks.reached,
            steps=self.faults.steps,
            vapi_calls=self.faults.vapi_calls,
            saves=len(self.checks.asked),
            virtual_seconds=now,
            trace=trace,
            story=story if tell or self.checks.violations else (),
        )


def _clock(minutes: int) -> str:
    """A time of day, so many minutes after the run's beginning, which is at midnight."""
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"
