"""The only writer of one org's toolset stream, for the time of a run.

Steps run side by side, but what they learn is written by one: all commands that have arrived are decided together and
appended in one request at the expected version. After a conflict the org is loaded again, and what the commands tell is
decided on what the log says now; their conclusions are dropped, as they were drawn from another state.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from tool_sync.domain.commands import Command, Conclusion
from tool_sync.domain.decider import decide_told
from tool_sync.domain.events import AssistantSynced, AssistantSyncFailed, ToolsetEvent
from tool_sync.domain.evolve import evolve
from tool_sync.domain.toolset import UNREADABLE, Recorded, Toolset
from tool_sync.log import Appended, AppendRequest, Conflict, Duplicate, Meta, NewEvent, event_id, toolset_stream
from tool_sync.sync.context import Context
from tool_sync.sync.knowledge import Knowledge
from tool_sync.sync.leases import Claim
from tool_sync.sync.load import load_one
from tool_sync.sync.traces import RunTraces
from zerotouch_platform.traceparent import trace_id_of

SOURCE = "/zerotouch/tool-sync/reconciler"
CONFLICTS_MAX = 20
"""More in a row cannot come from one other worker: it would mean that expected versions do not work."""


@dataclass(frozen=True, slots=True)
class _Queued:
    commands: Sequence[Command]
    follow: bool
    written: asyncio.Future[tuple[ToolsetEvent, ...]]


class Writer:
    """Folds what it has appended into ``knowledge``, before anybody who waits for the append goes on."""

    def __init__(self, context: Context, claim: Claim, knowledge: Knowledge, traces: RunTraces) -> None:
        self.knowledge = knowledge
        self._context = context
        self._claim = claim
        self._stream = toolset_stream(claim.org_id)
        self._traces = traces
        self.org_id, self.trace_id = claim.org_id, trace_id_of(traces.traceparent)
        self._waiting: list[_Queued] = []
        self._writing = False

    async def write(self, commands: Sequence[Command], *, follow: bool = False) -> tuple[ToolsetEvent, ...]:
        """Decide and append; returns the events of these commands, () where the log shows that they are not wanted.

        With ``follow``, what follows at once from the new state (an outcome, mostly) goes into the same append. Raises
        what ``EventLog.append`` raises.
        """
        # Whoever finds nobody writing writes for all who come meanwhile: no task of its own, and no append of its own
        # for each step. Two appends at once would conflict with each other at the same expected version.
        mine = _Queued(commands, follow, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        if not self._writing:
            self._writing = True
            try:
                while self._waiting:
                    batch, self._waiting = self._waiting, []
                    await self._write(batch)
            finally:
                self._writing = False
        return await mine.written

    async def _write(self, batch: Sequence[_Queued]) -> None:
        try:
            answers = await self._append(batch)
        except BaseException as error:
            for waiting in batch:
                if not waiting.written.done():
                    waiting.written.set_exception(error)
                    waiting.written.exception()  # seen here: whoever waits may be gone
            if not isinstance(error, Exception):
                raise
            return
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.written.done():
                waiting.written.set_result(answer)

    async def _append(self, batch: Sequence[_Queued]) -> list[tuple[ToolsetEvent, ...]]:
        for _ in range(CONFLICTS_MAX):
            answers, events = self._decide(batch)
            if not events:
                return answers
            result = await self._context.log.append(self._request(events))
            match result:
                case Appended():
                    self._take_in(result, events)
                    return answers
                case Duplicate():
                    # The same bytes sent again after an unknown commit: they are in the log, but nobody knows since
                    # when. Whoever announced a write must not send it; it is looked up after the settle time.
                    await self.reload()
                    return [() for _ in batch]
                case Conflict():
                    await self.reload()
                    batch = [replace(waiting, commands=_told(waiting.commands)) for waiting in batch]
                case _:
                    assert_never(result)
        raise AssertionError(f"{self._stream}: {CONFLICTS_MAX} conflicts in a row; expected versions do not work")

    def _take_in(self, appended: Appended, events: Sequence[ToolsetEvent]) -> None:
        self._measure(appended.recorded_at, events)
        self.knowledge.written(appended.first_position, appended.recorded_at, events)
        self._traces.note_written(events)
        for event in events:
            if isinstance(event, AssistantSynced) and event.requests:
                self._context.on_settled(self.org_id)

    def _measure(self, now: datetime, events: Sequence[ToolsetEvent]) -> None:
        """Tell how long the saves have waited that these events end; before the state forgets them."""
        for event in events:
            if isinstance(event, AssistantSynced | AssistantSyncFailed) and event.requests:
                outcome = "synced" if isinstance(event, AssistantSynced) else "failed"
                ended = {settled.request_id for settled in event.requests}
                for request in self.knowledge.state.open_requests.get(event.agent_id or UNREADABLE, ()):
                    if request.asked.request_id in ended:
                        self._context.measured(outcome, (now - request.recorded_at).total_seconds())

    async def reload(self) -> None:
        """Read the state anew, with all that has arrived meanwhile."""
        self.knowledge.reloaded(await load_one(self._context, self.org_id))
        self._traces.note_open(self.knowledge.state)

    def _decide(self, batch: Sequence[_Queued]) -> tuple[list[tuple[ToolsetEvent, ...]], tuple[ToolsetEvent, ...]]:
        """The events of each waiting command, and all events to append, those that follow from them included."""
        state, behind = self.knowledge.state, 0
        events: list[ToolsetEvent] = []

        def caught_up() -> Toolset:
            nonlocal state, behind
            for event in events[behind:]:
                state = evolve(state, Recorded(state.position, self._context.clock.now(), event))
            behind = len(events)
            return state

        def apply(commands: Sequence[Command]) -> tuple[ToolsetEvent, ...]:
            first = len(events)
            # Each command is decided on the state that the ones before it lead to, in the same append: two steps that
            # found the same surplus tool note it once.
            for command in commands:
                events.extend(decide_told(caught_up(), command))
            return tuple(events[first:])

        answers = [apply(waiting.commands) for waiting in batch]
        if any(waiting.follow for waiting in batch):
            apply(self.knowledge.follow_up(caught_up(), events))
        return answers, tuple(events)

    def _request(self, events: Sequence[ToolsetEvent]) -> AppendRequest:
        # A worker's decision is caused by itself: a fresh id, kept only to send the same bytes again.
        cause = str(self._context.new_id())
        return AppendRequest(
            stream=self._stream,
            org_id=self._claim.org_id,
            expected_version=self.knowledge.state.version,
            events=tuple(
                NewEvent(event_id(self._stream, SOURCE, cause, type(event).__name__, n), event)
                for n, event in enumerate(events)
            ),
            meta=Meta(
                causation_id=cause,
                correlation_id=self.trace_id or cause,
                traceparent=self._traces.traceparent,
                actor="tool-sync",
                service_version=self._context.service_version,
            ),
            lease_token=self._claim.token,
        )


def _told(commands: Sequence[Command]) -> Sequence[Command]:
    return [command for command in commands if not isinstance(command, Conclusion)]
