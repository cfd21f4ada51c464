"""Reads Vapi now and says what a caller of an assistant would meet.

GET /assistant/{id}, GET /tool/{id} of every tool that it names (each once, for all assistants), and the traffic split.
Nothing is written. The calls are asked of the key's shared allowance as bulk work, and there are so many at most.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from tool_sync.admin.checked import NOT_NAMED, NOT_THERE, CheckedClinic, KnownAssistant, Trouble
from tool_sync.domain import reach
from tool_sync.domain.events import ToolRef
from tool_sync.publishing.overlay import worded
from tool_sync.queries.assistants import LinkedTool
from tool_sync.sync.asking import said_of
from tool_sync.sync.blueprint import document_for
from tool_sync.sync.effects.named import is_id, named_tool
from tool_sync.sync.survey import versions_of
from tool_sync.vapi.accounts import NOBODYS_OWN, Account, OwnAccounts, Unusable
from tool_sync.vapi.documents import holds, holds_tool
from tool_sync.vapi.failures import Kind, VapiFailure, unless_gone
from tool_sync.vapi.rate_limit import Key
from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.tools import ToolMarker

T = TypeVar("T")

CHANGED_SHOWN_MAX: Final = 8
WAIT_SECONDS_MIN: Final = 0.1


class Vapi(Protocol):
    """What is asked of :class:`~tool_sync.vapi.client.VapiClient`."""

    async def get_assistant(self, assistant_id: str) -> dict[str, Any]: ...

    async def get_tool(self, tool_id: str) -> dict[str, Any]: ...

    async def traffic_allocation(self, assistant_id: str) -> Mapping[str, Any] | None: ...


class AccountHeld(Exception):
    """Nothing may be asked of one clinic's own account now; the message says why. The others' clinics are looked at."""


class LookStopped(Exception):
    """Nothing more is asked; the message says why. ``is_key``: Vapi refuses the key that was given."""

    def __init__(self, reason: str, *, is_key: bool = False) -> None:
        super().__init__(reason)
        self.is_key = is_key


@dataclass(frozen=True, slots=True)
class Met:
    """What the next caller of an assistant meets. ``not_looked_at`` says what of it is not known, and why."""

    agent_id: str
    assistant_id: str | None
    reaches: tuple[LinkedTool, ...]
    trouble: tuple[Trouble, ...]
    pinned: tuple[str, ...] = ()
    not_looked_at: tuple[str, ...] = ()
    not_read: str | None = None

    @property
    def can_book(self) -> bool:
        """It was read, and nothing stands in the way."""
        return not self.trouble and self.not_read is None


@dataclass(slots=True)
class Look:
    """One check: what it asked so far. ``vapi`` and ``key`` are the platform's; a clinic with an account of its own is
    looked at there, one clinic after another.

    ``patience_seconds``: the longest that one call waits for the key's rate; at 0 the check stops instead.
    """

    vapi: Vapi
    key: Key
    installation_id: UUID
    calls_max: int
    patience_seconds: float = 0.0
    accounts: OwnAccounts = NOBODYS_OWN
    calls: int = 0
    splits_refused: set[str | None] = field(default_factory=set)
    _own: Account | None = None
    _tools: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)

    async def assistant(self, clinic: CheckedClinic, known: KnownAssistant) -> Met:
        """What its next caller meets. Raises :class:`LookStopped`; `VapiFailure` is told as what was not read."""
        met = Met(known.agent_id, known.assistant_id, (), ())
        own = await self.accounts.of(clinic.org_id)
        if isinstance(own, Unusable):
            return replace(met, not_read=f"its account {own.account} cannot be used: {own.code.value}")
        self._own = own
        try:
            return await self._assistant(clinic, known, met)
        except VapiFailure as failure:
            not_read = f"Vapi did not show it: {failure.code.value}"
        except AccountHeld as held:
            not_read = str(held)
        return replace(met, not_read=not_read)

    def forget(self) -> None:
        """Read tools again from now on."""
        self._tools.clear()

    async def _assistant(self, clinic: CheckedClinic, known: KnownAssistant, met: Met) -> Met:
        names = tuple(tool.name for tool in clinic.wanted)
        if known.assistant_id is None:
            return replace(met, trouble=(Trouble(None, names, what="it is not known at Vapi yet"),))
        assistant_id = known.assistant_id
        document = await unless_gone(self._ask(lambda vapi: vapi.get_assistant(assistant_id)))
        if document is None:
            return replace(met, trouble=(Trouble(ErrorCode.ASSISTANT_MISSING.value, names),))
        if reach.belongs_to_another(document, self.installation_id, clinic.org_id):
            return replace(met, trouble=(Trouble(ErrorCode.ASSISTANT_OF_ANOTHER.value, names),))
        if not isinstance(document.get("model"), dict):
            return replace(met, trouble=(Trouble(ErrorCode.ASSISTANT_WITHOUT_MODEL.value, names),))
        split, not_looked_at = await self._split(assistant_id)
        trouble = [*await self._of_tools(clinic, document), *await self._obstacles(clinic, known, document, split)]
        barred = {name for one in trouble for name in one.tools}
        reached = tuple(
            LinkedTool(r.name, r.vapi_tool_id, r.definition_version) for r in clinic.target if r.name not in barred
        )
        pins = reach.pins_of(document, clinic.target, self._known(clinic))
        pinned = tuple(f"{pin.name} to {pin.label}" for pin in pins if pin.name not in barred)
        return replace(
            met, reaches=reached, trouble=tuple(dict.fromkeys(trouble)), pinned=pinned, not_looked_at=not_looked_at
        )

    def _known(self, clinic: CheckedClinic) -> reach.Known:
        return reach.Known(
            installation_id=self.installation_id,
            org_id=clinic.org_id,
            tool_ids=clinic.state.tool_ids,
            registered=frozenset(clinic.state.tools),
            versions=clinic.state.versions,
            answered=clinic.fleet.answered_versions,
        )

    async def _split(self, assistant_id: str) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
        """The versions that get calls, None where all go to the newest; and what could not be looked at."""
        refused = ("traffic splits: this account has no access to them",)
        if self._account in self.splits_refused:
            return None, refused
        try:
            return versions_of(await self._ask(lambda vapi: vapi.traffic_allocation(assistant_id))), ()
        except VapiFailure as failure:
            if failure.no_beta_access:
                self.splits_refused.add(self._account)
                return None, refused
            return None, (f"traffic splits: Vapi answered {failure.status or 'nothing'} ({failure.code.value})",)

    async def _obstacles(
        self, clinic: CheckedClinic, known: KnownAssistant, document: Mapping[str, Any], split: tuple[str, ...] | None
    ) -> list[Trouble]:
        """What stands in the document: the ids that our log does not know are read."""
        named = {}
        for tool_id in reach.named_ids(document):
            if tool_id not in clinic.state.tool_ids:
                found = await self._tool(tool_id)
                named[tool_id] = reach.NamedTool(tool_id, exists=False) if found is None else named_tool(tool_id, found)
        obstacles = reach.obstacles_of(
            document,
            clinic.target,
            named=named,
            known=self._known(clinic),
            split=split,
            linked_version=known.linked_version,
        )
        return [Trouble.of(one) for one in obstacles]

    async def _of_tools(self, clinic: CheckedClinic, document: Mapping[str, Any]) -> list[Trouble]:
        """What is wrong with our own tools: not there, not named, deleted or changed at Vapi."""
        ids = reach.named_ids(document)
        have = {ref.name: ref for ref in clinic.target}
        found = []
        for tool in clinic.wanted:
            ref = have.get(tool.name)
            if ref is None:
                found.append(Trouble(None, (tool.name,), what=NOT_THERE))
            elif ref.vapi_tool_id not in ids:
                found.append(Trouble(None, (tool.name,), (ref.vapi_tool_id,), NOT_NAMED))
            else:
                found += await self._of_tool(clinic, ref)
        names = tuple(tool.name for tool in clinic.wanted)
        others = clinic.state.tool_ids.intersection(ids) - {ref.vapi_tool_id for ref in clinic.target}
        gone = tuple([one for one in sorted(others) if await self._tool(one) is None])
        return [*found, *([Trouble(ErrorCode.TOOL_ID_DANGLING.value, names, gone)] if gone else [])]

    async def _of_tool(self, clinic: CheckedClinic, ref: ToolRef) -> list[Trouble]:
        document = await self._tool(ref.vapi_tool_id)
        if document is None:
            names = tuple(tool.name for tool in clinic.wanted)  # such an id fails the whole call
            return [Trouble(ErrorCode.TOOL_ID_DANGLING.value, names, (ref.vapi_tool_id,))]
        marker = ToolMarker.of(document)
        if marker is not None and marker.installation_id == self.installation_id and marker.org_id != clinic.org_id:
            return [Trouble(ErrorCode.TOOL_OF_ANOTHER_CLINIC.value, (ref.name,), (ref.vapi_tool_id,))]
        sent = clinic.fleet.document(ref.name, ref.definition_hash)
        changed = []
        if sent is not None:
            overlay = clinic.state.overlays.get(ref.name, ())
            credential = None if self._own is None else self._own.credential
            changed = changed_fields(
                document, worded(document_for(sent, clinic.org_id, credential), overlay, clinic.texts)
            )
        if marker != ToolMarker(self.installation_id, clinic.org_id, ref.name):
            changed = changed or ["marker"]
        if not changed:
            return []
        what = f"somebody changed it at Vapi: {', '.join(changed[:CHANGED_SHOWN_MAX])}; tool-sync will restore it"
        return [Trouble(None, (ref.name,), (ref.vapi_tool_id,), what)]

    async def _tool(self, tool_id: str) -> Mapping[str, Any] | None:
        """A tool, read once; None where Vapi has none, or where it is no id at all."""
        if tool_id not in self._tools:
            found = None
            if is_id(tool_id):
                found = await unless_gone(self._ask(lambda vapi: vapi.get_tool(tool_id)))
            self._tools[tool_id] = found
        return self._tools[tool_id]

    @property
    def _account(self) -> str | None:
        return None if self._own is None else self._own.name

    async def _ask(self, call: Callable[[Vapi], Awaitable[T]]) -> T:
        """One read. Raises :class:`LookStopped`, :class:`AccountHeld` and :class:`VapiFailure`."""
        vapi, key = (self.vapi, self.key) if self._own is None else (self._own.vapi, self._own.key)
        if self.calls >= self.calls_max:
            raise LookStopped(f"{self.calls_max} calls to Vapi were made, as many as --calls allows")
        await self._admitted(key)
        self.calls += 1
        try:
            answer = await call(vapi)
        except VapiFailure as failure:
            if failure.kind is Kind.AUTHENTICATION and self._own is None:
                # The key that this command was given may be another than the service's: that one is not paused by it.
                await key.unused()
                raise LookStopped(f"Vapi refuses the key: {failure.code.value}", is_key=True) from failure
            await key.note(said_of(failure), datetime.now(UTC), 0.0, failure.retry_after_seconds)
            raise
        except BaseException:
            await key.unused()
            raise
        await key.note("answered", datetime.now(UTC), 0.0)
        return answer

    async def _admitted(self, key: Key) -> None:
        while (held := await key.admit(now := datetime.now(UTC), "begun" if self.calls else "bulk")) is not None:
            wait_seconds = (held - now).total_seconds()
            if not self.patience_seconds or wait_seconds > self.patience_seconds:
                why = f"the key allows no call before {held:%Y-%m-%d %H:%M:%S} UTC"
                if self._own is not None:
                    raise AccountHeld(f"account {self._own.name}: {why}")
                raise LookStopped(why)
            await asyncio.sleep(max(wait_seconds, WAIT_SECONDS_MIN))


def changed_fields(document: Mapping[str, Any], sent: Mapping[str, Any]) -> list[str]:
    """The names of the fields that are not at Vapi as they were sent; never their values."""
    changed = [key for key, value in sent.items() if not holds(document.get(key), value)]
    return sorted(changed if changed or holds_tool(document, sent) else ["messages"])
