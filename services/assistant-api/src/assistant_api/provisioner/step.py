"""What is done for one agent: look, decide, write at most once, store.

    an attempt without an answer?  too young: wait. Old enough: adopt what it made, or go on
    no assistant yet               the one that a restore has lost, else POST, fenced, with the tools that are known
    it is being released           wait: what the agent before left on it is taken out first
    an assistant                   GET, then nothing (no difference) or PATCH, fenced; another clinic's is refused

Fenced: the attempt is in the row before the call, and the call is made only if hardly any time has passed since before
that was asked for. Whoever finds the attempt without its answer knows by when the call must have landed or died.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog
import uuid_utils.compat as uuids
from opentelemetry.trace import Span

from assistant_api import known_tools
from assistant_api.db import Database
from assistant_api.document import AgentMarker, Holder, attempt_of, changes, creation
from assistant_api.provisioner.announce import announce
from assistant_api.provisioner.claim import Claimed, OpenAttempt
from assistant_api.provisioner.facts import block_for, hash_of
from assistant_api.provisioner.store import AgentRow, Written
from assistant_api.published.view import PublishedView
from assistant_api.removals.store import remove_made
from assistant_api.restore.lost import forget_lost, oldest_lost
from assistant_api.settings import Settings
from assistant_api.telemetry import own_traceparent
from assistant_api.vapi.accounts import Account, Accounts
from assistant_api.vapi.answers import Document, Found, Gone, Later, Refused, Unknown, Write
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.traceparent import links_to, parent_context
from zerotouch_platform.vapi.answers import field_paths

UNUSABLE: Final = "the given Vapi assistant does not exist"
RELEASE_LOOK_SECONDS: Final = 5.0
"""How often a release is looked after that was waited for; whoever ends it says so, mostly sooner."""

_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Steps:
    """What every step needs."""

    database: Database
    accounts: Accounts
    settings: Settings
    telemetry: Telemetry
    published: PublishedView
    behind_seconds: Callable[[], float]
    """How far behind the outcomes' consumers are."""

    async def run(self, agent: Claimed) -> None:
        """Do what is due for ``agent`` and leave the row such that somebody will do the rest."""
        first, *others = agent.traceparents or ("",)
        with self.telemetry.span(
            "provision assistant",
            parent=parent_context(first),
            links=links_to(others),
            attributes={"org_id": str(agent.org_id), "agent_id": agent.agent_id, "revision": agent.revision},
        ) as span:
            if agent.untraced:
                await announce(self.database, agent, span)
            async with self.accounts.of(agent.org_id, agent.vapi_account) as at:
                if isinstance(at, Later):
                    await self._wait(agent, at)
                else:
                    await _Step(self, at, agent, span).run()

    async def _wait(self, agent: Claimed, later: Later) -> None:
        """Its key is not to be had. An attempt without an answer stays open: nobody can look what came of it."""
        async with self.database.connection() as connection:
            row = AgentRow(connection, agent.org_id, agent.agent_id, agent.token)
            if agent.attempt is None:
                await row.later(later.wait_seconds, later)
            else:
                await row.unknown(agent.attempt.age_seconds, later)


class _Step:
    """One run for one agent."""

    def __init__(self, steps: Steps, at: Account, agent: Claimed, span: Span) -> None:
        self._steps, self._at, self._agent = steps, at, agent
        self._settings = steps.settings
        self._traceparent = own_traceparent(span)
        self._mark = AgentMarker(steps.settings.installation_id, agent.org_id, agent.agent_id)
        self._default_model = {"provider": self._settings.default_model_provider, "model": self._settings.default_model}

    async def run(self) -> None:
        agent, attempt = self._agent, self._agent.attempt
        if attempt is None:
            await self._bring(agent.assistant_id)
        elif attempt.age_seconds < self._settings.settle_seconds:  # until then the call may still land
            await self._store(lambda row: row.wait(self._settings.settle_seconds))
        elif attempt.creates and agent.assistant_id is None:
            await self._look_for_made(attempt)
        elif await self._store(lambda row: row.settled()):
            # An update needs no search: the GET that follows shows what came of it.
            await self._bring(agent.assistant_id)

    async def _look_for_made(self, attempt: OpenAttempt) -> None:
        """A creation must not be repeated before it is known that nothing came of it: Vapi would make a second one."""
        found = await self._at.lost.find(self._mark, age_seconds=attempt.age_seconds)
        if isinstance(found, Later):
            # Not `later`: that ends the attempt, and the assistant that it may have made would be forgotten.
            await self._look_again(attempt.age_seconds, found)
        elif found is None:
            if await self._store(lambda row: row.settled()):
                await self._bring(None)
        else:
            assistant_id, made_by = str(found["id"]), attempt_of(found)
            _log.info("lost_assistant_adopted", **self._ids(assistant_id))
            landed = made_by == attempt.attempt_id
            if await self._store(lambda row: row.adopted(assistant_id, made_by, landed=landed)):
                await self._bring(assistant_id)

    async def _bring(self, assistant_id: str | None) -> None:
        if assistant_id is None:
            await self._create()
        elif self._agent.being_released:
            # Both would PATCH the whole model, and the later of the two would undo what the other has just done.
            code = ErrorCode.ASSISTANT_BEING_RELEASED
            await self._postpone(Later(code, RELEASE_LOOK_SECONDS, counts_as_attempt=False))
        else:
            await self._update(assistant_id)

    async def _create(self) -> None:
        """Take up what a restore of the database has lost, else ``POST``."""
        account, mark = self._agent.vapi_account, self._mark
        async with self._steps.database.connection() as connection:
            lost = await oldest_lost(connection, account, mark.org_id, mark.agent_id)
        if lost is None:
            await self._make()
            return
        match await self._at.vapi.get(lost.assistant_id, save=not self._agent.bulk):
            case Found(assistant) if mark.holder_of(assistant) is Holder.THIS_AGENT:
                _log.info("lost_assistant_adopted", **self._ids(lost.assistant_id))
                if await self._store(lambda row: row.taken_up(lost.assistant_id, made=lost.made)):
                    await self._update(lost.assistant_id)
            case Later() as later:
                await self._postpone(later)
            case _:
                async with self._steps.database.connection() as connection:
                    await forget_lost(connection, account, lost.assistant_id)
                await self._create()

    async def _make(self, *, with_tools: bool = True) -> None:
        asked_at, attempt_id = time.monotonic(), uuids.uuid4()
        # Looked up within the send window: an attempt that is made again hours later knows what is so by then.
        tool_ids = await self._known_tools() if with_tools else []
        block = block_for(self._agent.clinic, ())  # nobody has seen a tool on what there is not yet
        body = creation(self._agent.spoken, block, self._mark, self._default_model, attempt_id, tool_ids)
        await self._write(None, body, attempt_id, block, asked_at)

    async def _known_tools(self) -> list[str]:
        async with self._steps.database.connection() as connection:
            known = await known_tools.read(connection, self._agent.org_id)
        return known_tools.usable(
            known,
            vapi_account=self._agent.vapi_account,
            grace_seconds=self._settings.tool_grace_seconds,
            behind_seconds=self._steps.behind_seconds(),
        )

    async def _update(self, assistant_id: str) -> None:
        agent = self._agent
        match await self._at.vapi.get(assistant_id, save=not agent.bulk):
            case Found(assistant):
                if self._mark.holder_of(assistant) is Holder.ANOTHER:
                    await self._refuse_of_another(assistant_id)
                    return
                block = block_for(agent.clinic, agent.reachable, await self._steps.published.known())
                difference = changes(assistant, agent.spoken, block, self._default_model)
                difference |= self._mark.missing_in(assistant)
                if difference:
                    await self._write(assistant_id, difference, uuids.uuid4(), block, time.monotonic())
                else:
                    await self._provisioned_unchanged(assistant_id, assistant, block)
            case Gone() if agent.was_seen or agent.attempt is not None:  # it was there, so somebody has deleted it
                await self._begin_anew(assistant_id)
            case Gone():
                await self._refuse((UNUSABLE,))
            case Refused() as refused:
                await self._refuse(refused.reasons, refused.code)
            case Later() as later:
                await self._postpone(later)

    async def _write(
        self, assistant_id: str | None, body: dict[str, Any], attempt_id: UUID, block: str, asked_at: float
    ) -> None:
        """``asked_at`` is from before the key and the row were asked: a pause in either of them counts."""
        vapi = self._at.vapi
        ticket = await vapi.key.admit(save=not self._agent.bulk)
        if isinstance(ticket, Later):
            await self._postpone(ticket)
            return
        if not await self._store(lambda row: row.begin_attempt(attempt_id, assistant_id)):
            return  # the lease is somebody else's, or the assistant is another one by now
        if time.monotonic() - asked_at >= self._settings.send_window_seconds:
            # Others reckon from `attempt_at` by when this call has landed or died. Sent late, it could land after that.
            await self._postpone(Later(ErrorCode.SEND_WINDOW_MISSED))
            return
        answer = await (vapi.create(body, ticket) if assistant_id is None else vapi.update(assistant_id, body, ticket))
        if isinstance(answer, Refused | Gone) and assistant_id is None and body["model"].get("toolIds"):
            # Nothing was made. Whatever Vapi says against a tool must not cost the clinic its assistant.
            _log.warning("assistant_refused_with_tools", tool_ids=body["model"]["toolIds"], **self._ids(None))
            await self._make(with_tools=False)
            return
        await self._record(attempt_id, assistant_id, answer, block)

    async def _record(self, attempt_id: UUID, assistant_id: str | None, answer: Write, block: str) -> None:
        match answer:
            case Found(assistant):
                made = str(assistant["id"])
                written = self._written(assistant, block)
                if await self._store(lambda row: row.answered(attempt_id, made, written)):
                    _log.info("assistant_provisioned", revision=self._agent.revision, **self._ids(made))
                else:
                    await self._nobody_waits(attempt_id, assistant_id, made)
            case Gone() if assistant_id is not None:
                await self._begin_anew(assistant_id)
            case Gone():
                await self._postpone(Later(ErrorCode.VAPI_ANSWER_INVALID))
            case Refused() as refused:
                await self._refuse(refused.reasons, refused.code)
            case Later() as later:
                await self._postpone(later)
            case Unknown(code):
                _log.warning("vapi_answer_unknown", code=code.value, **self._ids(assistant_id))
                await self._store(lambda row: row.unknown(self._settings.settle_seconds, Later(code)))

    async def _nobody_waits(self, attempt_id: UUID, assistant_id: str | None, made: str) -> None:
        """The agent was deleted meanwhile, or another worker took over: no assistant is left behind."""
        _log.warning("assistant_answer_without_row", attempt_id=str(attempt_id), **self._ids(made))
        if assistant_id is None:
            agent = self._agent
            async with self._steps.database.transaction() as connection:
                await remove_made(connection, agent.org_id, agent.agent_id, agent.vapi_account, made, attempt_id)

    async def _provisioned_unchanged(self, assistant_id: str, assistant: Document, block: str) -> None:
        written = self._written(assistant, block)
        await self._store(lambda row: row.unchanged(assistant_id, written))
        _log.info("assistant_unchanged", revision=self._agent.revision, **self._ids(assistant_id))

    def _written(self, assistant: Document, block: str) -> Written:
        model = assistant.get("model")
        hashed = model_hash(model if isinstance(model, dict) else None)
        return Written(self._agent.revision, hashed, hash_of(block), self._traceparent)

    async def _begin_anew(self, assistant_id: str) -> None:
        _log.warning("assistant_gone_at_vapi", **self._ids(assistant_id))
        if await self._store(lambda row: row.forgotten(assistant_id)):
            await self._create()

    async def _refuse(self, reasons: tuple[str, ...], code: ErrorCode = ErrorCode.ASSISTANT_REFUSED) -> None:
        _log.warning("assistant_refused", revision=self._agent.revision, fields=field_paths(reasons), **self._ids(None))
        await self._store(lambda row: row.refused(self._agent.revision, reasons, code))

    async def _refuse_of_another(self, assistant_id: str) -> None:
        """Its metadata names another organization or installation, whoever wrote that: theirs is not overwritten."""
        code = ErrorCode.ASSISTANT_OF_ANOTHER
        _log.error("assistant_of_another", code=code.value, alarm=True, **self._ids(assistant_id))
        await self._refuse((CATALOGUE[code].meaning,), code)

    async def _postpone(self, later: Later) -> None:
        delay = self._delay_seconds(later)
        # A paused key has been told of once, for all who wait.
        log = _log.warning if later.counts_as_attempt else _log.debug
        log("assistant_postponed", code=later.code.value, delay_seconds=round(delay, 3), **self._ids(None))
        await self._store(lambda row: row.later(delay, later))

    async def _look_again(self, age_seconds: float, later: Later) -> None:
        await self._store(lambda row: row.unknown(age_seconds + self._delay_seconds(later), later))

    def _delay_seconds(self, later: Later) -> float:
        return later.delay_seconds(self._settings, self._agent.failures)

    async def _store(self, write: Callable[[AgentRow], Awaitable[bool]]) -> bool:
        agent = self._agent
        async with self._steps.database.connection() as connection:
            return await write(AgentRow(connection, agent.org_id, agent.agent_id, agent.token))

    def _ids(self, assistant_id: str | None) -> dict[str, str | None]:
        return {
            "org_id": str(self._agent.org_id),
            "agent_id": self._agent.agent_id,
            "assistant_id": assistant_id or self._agent.assistant_id,
        }
