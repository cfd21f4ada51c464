"""One run: workers over the simulated world, saves and faults for a while, then peace, then the checks at rest."""

import asyncio
import gc
import hashlib
import logging
import sys
import traceback
from collections import Counter
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import structlog

from tool_sync import telemetry
from tool_sync.blueprint import Blueprint
from tool_sync.domain import events as e
from tool_sync.domain.steps import Policy
from tool_sync.domain.toolset import Recorded, Toolset, evolve
from tool_sync.domain.wanted import wanted_for
from tool_sync.reconciler.context import Clock, Context, Limits
from tool_sync.reconciler.loop import Reconciler
from tool_sync.reconciler.pace import Pace
from tool_sync.vapi.client import VapiClient
from zerotouch_contracts.events import SaveCause
from zerotouch_contracts.tools import ANSWERED, DEFINITIONS, Marker

from . import process
from .checks import Checks
from .clinic import Agent, Clinic, prompt_of
from .database import Database, seconds_of
from .faults import KILL_RESTART_SECONDS, Faults, Plan
from .loop import VirtualLoop
from .ports import SimLog, SimStore
from .process import Process
from .vapi import SEND_SLACK_SECONDS, Server, Transport

INSTALLATION = UUID("0b7e3c1e-3a64-4b3e-9a55-5d4f0a6c9a10")
BLUEPRINT: Final = Blueprint.of(
    (DEFINITIONS[0], replace(ANSWERED[1], tier="professional")),
    server_url="https://hooks.example.test",
    installation_id=INSTALLATION,
    credential_id=None,
)
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
TROUBLE_SECONDS: Final = 60.0
PEACE_SECONDS_MAX: Final = 30 * 3600.0
WORKERS: Final = 2
WAKE_SECONDS: Final = 0.5
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
        if event.get("alarm") and len(alarms) < ALARMS_MAX:
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
        self.clinic = Clinic(self.database, self.server, self.faults, self.checks)
        self.log = SimLog(self.database, self.faults, self.checks)
        self.store = SimStore(self.database, self.faults, self.checks)
        self.transport = Transport(self.server, self.faults, self.checks, self._on_send)
        self.random = Random(f"world {plan.seed}")
        self._workers: list[Process] = []
        self._reconcilers: dict[int, Reconciler] = {}
        self._folded: dict[UUID, Toolset] = {}
        self._folded_events: Counter[UUID] = Counter()
        self._background: list[asyncio.Task[None]] = []

    def forget(self) -> None:
        """The run is over."""
        for worker in self._workers:
            for task in worker.tasks:
                task.forget()

    # --- tool-sync ----------------------------------------------------------------------------------------------------

    def _start_worker(self, number: int) -> None:
        worker = Process(f"worker-{number}", self._on_step)
        self._workers.append(worker)  # the killed ones too, see Process.tasks
        process.start(worker, self._work(number))

    async def _work(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        context = Context(
            log=self.log,
            store=self.store,
            vapi=VapiClient(
                "http://vapi", lambda: "key", account="platform", deadline_seconds=DEADLINE_SECONDS,
                transport=self.transport, telemetry=OFF,
            ),
            blueprint=BLUEPRINT,
            policy=POLICY,
            limits=self._limits,
            telemetry=OFF,
            service_version="0",
            pace=Pace(100, slow_seconds=0.4, monotonic=loop.time),
            clock=Clock(loop.time),
            new_id=self.log.new_id,
            jitter=self.random.random if self.faults.chance else lambda: 0.5,
        )  # fmt: skip
        reconciler = self._reconcilers[number] = Reconciler(context)
        await reconciler.run_forever()

    async def _wake_forever(self) -> None:
        """What polling does, without polling through the hours in which nothing is due."""
        loop = asyncio.get_running_loop()
        while True:
            pause = WAKE_SECONDS
            if self.database.due(loop.time()):
                for reconciler in self._reconcilers.values():
                    reconciler.wake()
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
            worker.pause(point.seconds)

    def _restart(self, number: int) -> None:
        process.outside(self._restarted(number))

    async def _restarted(self, number: int) -> None:
        self._start_worker(number)

    def _on_send(self, sender: Process | None, method: str, path: str, body: Any) -> None:
        """A write is announced, not long ago, and the org is ours as far as we know."""
        if method == "GET" or sender is None:
            return
        now = asyncio.get_running_loop().time()
        if path.startswith("/assistant/"):
            self._touches_links_only(now, sender, path, body)
        announced = self._announcement(method, path, body)
        if announced is None:
            self.checks.violated(now, f"{sender.name} sends {method} {path} without an open announcement")
            return
        attempt_id, at = announced
        self._holds_lease(now, sender, method, path, attempt_id)
        if now - at > LIMITS.send_window_seconds + SEND_SLACK_SECONDS:
            self.checks.violated(now, f"{sender.name} sends {method} {path} {now - at:.3f} s after announcing")
        if attempt_id in self.log.stored_before:
            self.checks.violated(now, f"{sender.name} sends {method} {path}, whose announcement was a duplicate")

    def _holds_lease(self, now: float, sender: Process, method: str, path: str, attempt_id: UUID) -> None:
        """What is sent is sent by the holder of the org's lease, as the database knows it."""
        org_id = next(s.org_id for s in self.database.events if getattr(s.event, "attempt_id", None) == attempt_id)
        assert org_id is not None
        lease = self.database.leases[org_id]
        if lease.token is None or lease.until is None or lease.until <= now or lease.holder is not sender:
            self.checks.violated(now, f"{sender.name} sends {method} {path} without the lease of {org_id}")

    def _touches_links_only(self, now: float, sender: Process, path: str, body: Any) -> None:
        """Of what it was shown it changes the links alone, and of those its own."""
        shown = self.transport.read.get((sender.name, path))
        if shown is None or set(body) != {"model"}:
            self.checks.violated(now, f"{sender.name} writes {sorted(body)} to {path}, and has read {shown}")
            return
        before, after = dict(shown["model"]), dict(body["model"])
        links_before, links_after = before.pop("toolIds", []), after.pop("toolIds", [])
        if before != after:
            self.checks.violated(now, f"{sender.name} changes {before} of {path} to {after}")
        foreign = [link for link in links_before if not link.startswith("tool-")]
        if [link for link in links_after if not link.startswith("tool-")] != foreign:
            self.checks.violated(now, f"{sender.name} changes links {links_before} of {path} to {links_after}")

    def _announcement(self, method: str, path: str, body: Any) -> tuple[UUID, float] | None:
        """The newest unanswered announcement of such a write: its attempt, and its time in virtual seconds."""
        kind, _, item_id = path.strip("/").partition("/")
        newest: tuple[UUID, float] | None = None
        made = Marker.of(body) if method == "POST" else None
        for org_id, events in self.database.by_org.items():
            if made is not None and made.org_id != org_id:
                continue
            open_attempts: dict[UUID, tuple[Any, float]] = {}
            for stored in events:
                event = stored.event
                attempt_id = getattr(event, "attempt_id", None)
                if attempt_id is None:
                    continue
                if type(event).__name__.endswith("Started"):
                    open_attempts[attempt_id] = (event, seconds_of(stored.recorded_at))
                elif not (isinstance(event, e.SyncAttemptFailed) and event.end == "unknown"):
                    open_attempts.pop(attempt_id, None)
            for attempt_id, (event, at) in open_attempts.items():
                if _fits(event, method, kind, item_id, made) and (newest is None or at > newest[1]):
                    newest = attempt_id, at
        return newest

    # --- the run ------------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Trouble, then peace until nothing is open, then the checks at rest."""
        for number in range(WORKERS):
            self._start_worker(number)
        self._background = [process.outside(self._wake_forever()), process.outside(self._heal_forever())]
        script = self._by_chance() if self.faults.chance else self._by_heart()
        await script
        self.faults.healed = True
        if self.faults.chance:  # so that what the trouble left undone is wanted by somebody
            for org_id in self._orgs():
                for agent in self._agents(org_id):
                    await self.clinic.save(agent)
        await self._until_at_rest()

    async def _by_heart(self) -> None:
        """The same for every point: a first save, a second while it runs, another agent, a change for the whole org."""
        org_id = self.clinic.organization(1)
        first = self.clinic.agent(org_id, "front-desk")
        if self.faults.plan.script == "first save":
            await self.clinic.save(first)
            return
        second = self.clinic.agent(org_id, "night-line")
        saves: tuple[tuple[float, Agent, SaveCause], ...] = (
            (0.1, first, "save"),
            (0.1, first, "save"),
            (0.2, second, "auto_sync"),
            (8.0, first, "save"),
        )
        for seconds, agent, cause in saves:
            await asyncio.sleep(seconds)
            await self.clinic.save(agent, cause)
        self.clinic.change_tier(org_id, "professional")
        await asyncio.sleep(TROUBLE_SECONDS)

    async def _by_chance(self) -> None:
        until = asyncio.get_running_loop().time() + TROUBLE_SECONDS
        for number in range(self.random.randint(1, 3)):
            org_id = self.clinic.organization(number + 1)
            for n in range(self.random.randint(1, 2)):
                self.clinic.agent(org_id, f"agent-{number}-{n}")
        acts: list[asyncio.Task[None]] = []
        while asyncio.get_running_loop().time() < until:
            acts.append(process.outside(self._something()))
            await asyncio.sleep(self.random.choice((0.05, 1.0, 5.0, 15.0)))
        await asyncio.gather(*acts)

    async def _something(self) -> None:
        agents = [agent for agent in self.clinic.agents if not agent.removed]
        if not agents:
            return
        agent = self.random.choice(agents)
        chosen = self.random.random
        if self.faults.hits("outsider_edits"):
            await self.clinic.outsider(agent)
        elif self.faults.hits("tier"):
            self.clinic.change_tier(agent.org_id, self.random.choice(("basic", "professional")))
        elif self.faults.hits("setting"):
            self.clinic.switch(agent.org_id, BLUEPRINT.tools[0].name, on=chosen() < 0.5)
        elif self.faults.hits("remove_assistant"):
            self.clinic.remove(agent)
        elif self.faults.hits("close_org"):
            self.clinic.close(agent.org_id)
        else:
            await self.clinic.save(agent, "save" if chosen() < 0.7 else "auto_sync")

    async def _heal_forever(self) -> None:
        """assistant-api hears of diverged assistants and writes them again."""
        heard = 0
        while True:
            await asyncio.sleep(30.0 if self.faults.healed else 1.0)
            new, heard = self.database.events[heard:], len(self.database.events)
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
            if self.database.is_quiet() and not self._unfinished():
                break
        else:
            self.checks.violated(loop.time(), f"not at rest after {PEACE_SECONDS_MAX / 3600:g} h: {self._unfinished()}")
        self._check_at_rest(loop.time())

    # --- at rest ------------------------------------------------------------------------------------------------------

    def _orgs(self) -> list[UUID]:
        return [org_id for org_id in self.database.by_org if org_id not in self.clinic.closed]

    def _agents(self, org_id: UUID) -> list[Agent]:
        return [agent for agent in self.clinic.agents if agent.org_id == org_id and not agent.removed]

    def state_of(self, org_id: UUID) -> Toolset:
        """The fold of everything in the org's log; what was folded before is not folded again."""
        state = self._folded.get(org_id, Toolset())
        for stored in self.database.by_org.get(org_id, ())[self._folded_events[org_id] :]:
            state = evolve(state, Recorded(stored.position, stored.recorded_at, stored.event))
            self._folded_events[org_id] += 1
        self._folded[org_id] = state
        return state

    def _unfinished(self) -> str:
        for org_id in self.database.by_org:
            state = self.state_of(org_id)
            if state.attempts or state.surplus or state.suspects or (state.looks and not state.closed):
                return f"org {org_id}: {[a.subject for a in state.attempts.values()]} {list(state.surplus)}"
        return ""

    def _check_at_rest(self, now: float) -> None:
        violated: Callable[[str], None] = lambda what: self.checks.violated(now, f"at rest: {what}")  # noqa: E731
        for request_id, what in self.checks.asked.items():
            if request_id not in self.checks.settled:
                violated(f"the save of {what} has no outcome")
        for org_id in self._orgs():
            state = self.state_of(org_id)
            wanted = wanted_for(state.tier, BLUEPRINT.tools, state.disabled) if self._agents(org_id) else ()
            for tool in wanted:
                live = [t["id"] for t in self.server.live_tools(org_id, tool.name)]
                known = state.tools[tool.name].vapi_tool_id if tool.name in state.tools else None
                if live != [known]:
                    violated(f"org {org_id} has {live} of {tool.name} at Vapi, and the log says {known}")
            for agent in self._agents(org_id):
                tools = [state.tools[tool.name].vapi_tool_id for tool in wanted if tool.name in state.tools]
                self._check_assistant(agent, tools, violated)

    def _check_assistant(self, agent: Agent, tools: list[str], violated: Callable[[str], None]) -> None:
        assistant = self.server.assistants[agent.assistant_id]
        links = assistant["model"].get("toolIds", [])
        foreign = [] if self.faults.fired["outsider_edits"] else agent.foreign_tools
        for tool_id in (*tools, *foreign):
            if links.count(tool_id) != 1:
                violated(f"{agent.agent_id} links {tool_id} {links.count(tool_id)} times")
        extra = set(links) - {*tools, *agent.foreign_tools}
        if extra:
            violated(f"{agent.agent_id} links {sorted(extra)}, which nobody wants")
        if prompt_of(assistant) != agent.prompt:
            violated(f"{agent.agent_id} says {prompt_of(assistant)!r}, the newest save says {agent.prompt!r}")
        if self.faults.fired["outsider_edits"]:
            return  # an edit between the read and the write of another is lost: Vapi knows no versions
        for name, value in agent.foreign_fields.items():
            if assistant["model"].get(name) != value:
                violated(f"{agent.agent_id} lost the field {name}")

    def result(self, now: float, *, tell: bool) -> Result:
        """What became of it."""
        lines = (f"{s.position} {s.org_id} {s.version} {s.recorded_at} {s.event}" for s in self.database.events)
        story = tuple(lines)
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


def _fits(event: Any, method: str, kind: str, item_id: str, made: Marker | None) -> bool:
    match event:
        case e.ToolRegistrationStarted(name=name):
            return (method, kind) == ("POST", "tool") and made is not None and made.name == name
        case e.ToolUpdateStarted(vapi_tool_id=tool_id):
            return (method, item_id) == ("PATCH", tool_id)
        case e.AssistantLinkStarted(assistant_id=assistant_id):
            return (method, item_id) == ("PATCH", assistant_id)
        case e.ToolDeleteStarted(vapi_tool_id=tool_id) | e.SurplusDeleteStarted(vapi_tool_id=tool_id):
            return (method, item_id) == ("DELETE", tool_id)
        case _:
            return False
