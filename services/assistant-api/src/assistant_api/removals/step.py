"""What is done for one removal.

    it is to be released           what is ours is taken out of it, and it is left: see `release`
    its id is known                GET; DELETE, unless it carries somebody else's mark by now: then it is released
    its creation had no answer     what that very attempt made is deleted

An agent of the same id may exist again. What it has is left alone, and while it has none yet and may find one of these
by the same metadata, the removal waits. What another agent has by now is never deleted. The DELETE is sent only shortly
after that was looked at.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog

from assistant_api.db import Database
from assistant_api.document import AgentMarker, Holder, was_made_by
from assistant_api.removals.release import Clean, LeaseLost, Releases
from assistant_api.removals.store import (
    Removal,
    begin_write,
    done,
    holder_of,
    later,
    owner_of,
    release_instead,
    release_too,
)
from assistant_api.settings import Settings
from assistant_api.vapi.accounts import Account, Accounts
from assistant_api.vapi.answers import Found, Gone, Later, Refused, Unknown
from assistant_api.vapi.client import VapiClient
from assistant_api.vapi.orphan_lookup import oldest
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.traceparent import parent_context

REFUSED_AGAIN_SECONDS: Final = 24 * 3600.0
"""A removal that Vapi refuses waits for a human, and is tried once a day meanwhile."""

_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RemovalSteps:
    """What every step needs."""

    database: Database
    accounts: Accounts
    settings: Settings
    telemetry: Telemetry
    on_released: Callable[[], None] = lambda: None
    """Called when somebody who waits for an assistant can go on."""

    async def run(self, removal: Removal) -> None:
        """Delete or release what ``removal`` means, or leave its row such that somebody will."""
        with self.telemetry.span(
            "remove assistant",
            parent=parent_context(removal.traceparent),
            attributes={"org_id": str(removal.org_id), "agent_id": removal.agent_id},
        ):
            async with self.accounts.of(removal.org_id, removal.vapi_account) as at:
                if isinstance(at, Later):
                    await self._postpone(removal, at)
                elif removal.releases:
                    await self._release(at, removal)
                else:
                    await self._delete_all(at, removal)

    async def _release(self, at: Account, removal: Removal) -> None:
        releases = Releases(self.database, at.vapi, self.settings)
        match await releases.run(removal):
            case Clean():
                await self._done(removal)
                _log.info("assistant_released", **self._ids(removal, removal.assistant_id))
                self.on_released()
            case LeaseLost():
                _log.info("assistant_release_ended_elsewhere", **self._ids(removal, removal.assistant_id))
            case Later() as later_:
                await self._postpone(removal, later_)
            case Refused() as refused:
                await self._refused(removal, removal.assistant_id, refused)

    async def _delete_all(self, at: Account, removal: Removal) -> None:
        found = await self._candidates(at, removal)
        if isinstance(found, Later):
            await self._postpone(removal, found)
            return
        for assistant_id in found:
            if not await self._delete(at.vapi, removal, assistant_id):
                return
        await self._done(removal)

    async def _candidates(self, at: Account, removal: Removal) -> Sequence[str] | Later:
        mark = AgentMarker(self.settings.installation_id, removal.org_id, removal.agent_id)
        if removal.assistant_id is None:
            assert removal.attempt_age_seconds is not None
            assert removal.attempt_id is not None
            found = await at.lost.made_about(
                mark, age_seconds=removal.attempt_age_seconds, after_seconds=self.settings.settle_seconds, save=False
            )
            if isinstance(found, Later):
                return found
            made = oldest(item for item in found if was_made_by(item, removal.attempt_id))  # later ones are copies
            return [] if made is None else [str(made["id"])]
        match await at.vapi.get(removal.assistant_id, save=False):
            case Found(assistant):
                if mark.holder_of(assistant) is Holder.ANOTHER:
                    async with self.database.connection() as connection:
                        await release_instead(connection, removal)
                    return Later(ErrorCode.ASSISTANT_OF_ANOTHER)
                return [] if removal.only_if_marked and not mark.fits(assistant) else [removal.assistant_id]
            case Gone() | Refused():
                return []
            case Later() as later_:
                return later_

    async def _delete(self, vapi: VapiClient, removal: Removal, assistant_id: str) -> bool:
        """Whether the assistant is gone, or is not to go; False where the removal was postponed."""
        looked_at = time.monotonic()
        async with self.database.connection() as connection:
            holder = await holder_of(connection, removal, assistant_id)
            owner = await owner_of(connection, removal)
            if holder is not None:
                if holder != (removal.org_id, removal.agent_id):  # found by the other's mark: only ours is taken out
                    await release_too(connection, removal, assistant_id)
                return True
        if owner is not None and owner.assistant_id is None and owner.has_attempt:  # it may be about to find this one
            return await self._postpone(removal, Later(ErrorCode.VAPI_ANSWER_UNKNOWN, self.settings.settle_seconds))
        ticket = await vapi.key.admit(save=False)
        if isinstance(ticket, Later):
            return await self._postpone(removal, ticket)
        async with self.database.connection() as connection:
            if not await begin_write(connection, removal, self.settings.removal_lease_seconds):
                return False  # somebody has it by now
        if time.monotonic() - looked_at >= self.settings.send_window_seconds:
            return await self._postpone(removal, Later(ErrorCode.SEND_WINDOW_MISSED))
        match await vapi.delete(assistant_id, ticket):
            case Found() | Gone():
                _log.info("assistant_removed", **self._ids(removal, assistant_id))
                return True
            case Refused() as refused:
                return await self._refused(removal, assistant_id, refused)
            case Later() as later_:
                return await self._postpone(removal, later_)
            case Unknown(code):
                return await self._postpone(removal, Later(code))

    async def _refused(self, removal: Removal, assistant_id: str | None, refused: Refused) -> Literal[False]:
        """Alarm, and leave it for tomorrow; it is not gone."""
        what: dict[str, Any] = {"status": refused.status, "code": refused.code.value, "fields": refused.fields}
        what |= self._ids(removal, assistant_id)
        if removal.releases:
            _log.error("assistant_release_refused", alarm=True, **what)
        else:
            _log.error("assistant_removal_refused", alarm=True, **what)
        return await self._store(removal, REFUSED_AGAIN_SECONDS, Later(refused.code))

    async def _done(self, removal: Removal) -> None:
        async with self.database.connection() as connection:
            await done(connection, removal)

    async def _postpone(self, removal: Removal, reason: Later) -> Literal[False]:
        """It is not gone, and due again later."""
        delay_seconds = reason.delay_seconds(self.settings, removal.failures)
        _log.warning(
            "assistant_removal_postponed",
            code=reason.code.value,
            delay_seconds=round(delay_seconds, 3),
            **self._ids(removal, removal.assistant_id),
        )
        return await self._store(removal, delay_seconds, reason)

    async def _store(self, removal: Removal, delay_seconds: float, reason: Later) -> Literal[False]:
        async with self.database.connection() as connection:
            await later(connection, removal, delay_seconds, reason)
        return False

    @staticmethod
    def _ids(removal: Removal, assistant_id: str | None) -> dict[str, str | None]:
        return {"org_id": str(removal.org_id), "agent_id": removal.agent_id, "assistant_id": assistant_id}
