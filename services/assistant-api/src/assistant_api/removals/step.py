"""What is done for one removal.

    its id is known            GET first where it may be somebody else's, then DELETE
    its creation had no answer what carries the agent's metadata and was made about then is deleted

An agent of the same id may exist again. What it has is left alone, and while it has none yet and may find one of these
by the same metadata, the removal waits. The DELETE is sent only shortly after that was looked at.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from assistant_api.db import Database
from assistant_api.document import Mark
from assistant_api.lost import LostAssistants
from assistant_api.removals.store import Removal, done, later, owner_of
from assistant_api.settings import Settings
from assistant_api.telemetry import Telemetry, parent_of
from assistant_api.vapi.answers import Found, Gone, Later, Refused, Unknown
from assistant_api.vapi.client import VapiClient
from zerotouch_contracts.errors import ErrorCode

REFUSED_AGAIN_SECONDS: Final = 24 * 3600.0
"""A removal that Vapi refuses waits for a human, and is tried once a day meanwhile."""

_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RemovalSteps:
    """What every step needs. ``monotonic`` and ``uniform`` are arguments so that tests can decide them."""

    database: Database
    vapi: VapiClient
    lost: LostAssistants
    settings: Settings
    telemetry: Telemetry
    installation_id: UUID
    monotonic: Callable[[], float] = time.monotonic
    uniform: Callable[[float, float], float] = random.uniform

    async def run(self, removal: Removal) -> None:
        """Delete what ``removal`` means, or leave its row such that somebody will."""
        with self.telemetry.span(
            "remove assistant",
            parent=parent_of(removal.traceparent),
            attributes={"org_id": str(removal.org_id), "agent_id": removal.agent_id},
        ):
            found = await self._candidates(removal)
            if isinstance(found, Later):
                await self._postpone(removal, found)
                return
            for assistant_id in found:
                if not await self._delete(removal, assistant_id):
                    return
            async with self.database.connection() as connection:
                await done(connection, removal)

    async def _candidates(self, removal: Removal) -> Sequence[str] | Later:
        mark = Mark(self.installation_id, removal.org_id, removal.agent_id)
        if removal.assistant_id is None:
            assert removal.attempt_age_seconds is not None
            found = await self.lost.made_about(
                mark,
                age_seconds=removal.attempt_age_seconds,
                after_seconds=self.settings.settle_seconds,
                save=False,
            )
            return found if isinstance(found, Later) else [str(item["id"]) for item in found]
        if not removal.only_if_marked:
            return [removal.assistant_id]
        match await self.vapi.get(removal.assistant_id, save=False):
            case Found(assistant):
                return [removal.assistant_id] if mark.fits(assistant) else []
            case Gone() | Refused():
                return []
            case Later() as later_:
                return later_

    async def _delete(self, removal: Removal, assistant_id: str) -> bool:
        """Whether the assistant is gone, or is not to go; False where the removal was postponed."""
        looked_at = self.monotonic()
        async with self.database.connection() as connection:
            owner = await owner_of(connection, removal)
        if owner is not None:
            if owner.assistant_id == assistant_id:
                return True
            if owner.assistant_id is None and owner.has_attempt:  # it may be about to find this one
                await self._postpone(removal, Later(ErrorCode.VAPI_ANSWER_UNKNOWN, self.settings.settle_seconds))
                return False
        ticket = await self.vapi.key.admit(save=False)
        if isinstance(ticket, Later):
            await self._postpone(removal, ticket)
            return False
        if self.monotonic() - looked_at >= self.settings.send_window_seconds:
            await self._postpone(removal, Later(ErrorCode.SEND_WINDOW_MISSED))
            return False
        match await self.vapi.delete(assistant_id, ticket):
            case Found() | Gone():
                _log.info("assistant_removed", **self._ids(removal, assistant_id))
                return True
            case Refused(status) as refused:
                _log.error(
                    "assistant_removal_refused",
                    status=status,
                    fields=refused.fields,
                    alarm=True,
                    **self._ids(removal, assistant_id),
                )
                await self._store(removal, REFUSED_AGAIN_SECONDS, ErrorCode.ASSISTANT_REFUSED)
                return False
            case Later() as later_:
                await self._postpone(removal, later_)
                return False
            case Unknown(code):
                await self._postpone(removal, Later(code))
                return False

    async def _postpone(self, removal: Removal, reason: Later) -> None:
        """Full jitter below a bound that doubles, for ever; never less than Vapi asked for."""
        settings = self.settings
        bound = min(settings.retry_seconds_max, settings.retry_seconds_min * 2 ** min(removal.failures, 16))
        delay_seconds = reason.wait_seconds if reason.nobodys else max(self.uniform(0, bound), reason.wait_seconds)
        _log.warning(
            "assistant_removal_postponed",
            code=reason.code.value,
            delay_seconds=round(delay_seconds, 3),
            **self._ids(removal, removal.assistant_id),
        )
        await self._store(removal, delay_seconds, reason.code, counts=not reason.nobodys)

    async def _store(self, removal: Removal, delay_seconds: float, code: ErrorCode, *, counts: bool = True) -> None:
        async with self.database.connection() as connection:
            await later(connection, removal, delay_seconds, code, counts=counts)

    @staticmethod
    def _ids(removal: Removal, assistant_id: str | None) -> dict[str, str | None]:
        return {"org_id": str(removal.org_id), "agent_id": removal.agent_id, "assistant_id": assistant_id}
