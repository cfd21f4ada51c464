"""Sends notices: one leader, of each clinic one at a time and in order, at least once.

    due        the oldest of each clinic that was not delivered, where its time has come
    send       within 10 s in all, at most 20 clinics at once; an answer's body is not waited for
    record     taken: the next one of the clinic is due ─ not taken: a pause that grows, and after a day disabled

A process that dies before the call has sent nothing, and one that dies after it sends again under the same
``webhook-id``. A leader that was cut off may send beside its successor for a moment: also the same.
"""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import aiohttp
import structlog

from tool_sync import db
from tool_sync.notices import queue
from tool_sync.notices.destination import NotPublic, address_problem
from tool_sync.notices.endpoints import WHY_DISABLED
from tool_sync.notices.queue import Due
from tool_sync.notices.signing import SecretBox, signed_headers
from zerotouch_platform.loops import Loop
from zerotouch_platform.postgres.leader import Lead, LeadershipLost
from zerotouch_platform.vapi.transport import Request, Transport

NOTICES_LOCK: Final = 7316
POLL_SECONDS: Final = 1.0
SEND_SECONDS_MAX: Final = 10.0
"""From the name of the host to the end of the answer."""
AT_ONCE_MAX: Final = 20
ANSWER_BYTES_MAX: Final = 4096
"""Nobody reads it; a short one is read so that the connection can be used again."""
GIVE_UP: Final = timedelta(days=1)
PAUSES_SECONDS: Final = (5, 30, 120, 300, 600, 1800, 3600)
"""After each try; then the last one again."""
IDLE_SECONDS: Final = 30.0
CANDIDATE_SECONDS: Final = 5.0
"""How often a process that does not lead asks whether it may."""
GONE: Final = 410

log = structlog.get_logger(__name__)


class NoticeSender:
    """``jitter`` is 0 to 1; ``sent`` is told of each try's result."""

    def __init__(
        self,
        database_url: str,
        pool: db.Pool,
        box: SecretBox,
        transport: Transport,
        *,
        loopback_allowed: bool,
        sent: Callable[[str], None] = lambda _result: None,
        jitter: Callable[[], float] = random.random,
        seconds_max: float = SEND_SECONDS_MAX,
    ) -> None:
        self._pool, self._box, self._transport = pool, box, transport
        self._loopback_allowed, self._sent, self._jitter = loopback_allowed, sent, jitter
        self._seconds_max = seconds_max
        self._lead = Lead(
            database_url, NOTICES_LOCK, application_name="tool-sync notices", idle_session_seconds=IDLE_SECONDS
        )
        self._ask_at = float("-inf")
        self._sending: dict[UUID, asyncio.Task[bool]] = {}
        self.loop: Final = Loop(
            self.run_once,
            POLL_SECONDS,
            "Notices are not sent",
            (LeadershipLost, *db.WAITED_OUT_ERRORS),
            fault="Notices are not sent for a fault of ours",
            at_end=self.close,
        )

    @property
    def leads(self) -> bool:
        """Whether this process sends."""
        return self._lead.is_held

    async def run_once(self) -> int:
        """Begin to send what is due, where this process leads; how many were begun."""
        if not await self._may_lead():
            return 0
        free = AT_ONCE_MAX - len(self._sending)
        due = await queue.due_notices(self._pool, list(self._sending), free) if free else []
        for one in due:
            task = asyncio.create_task(self._deliver(one), name=f"notice {one.message_id}")
            self._sending[one.org_id] = task
            task.add_done_callback(partial(self._ended, one.org_id))
        return len(due)

    async def settled(self) -> None:
        """Wait for what is on its way."""
        while self._sending:
            await asyncio.gather(*self._sending.values(), return_exceptions=True)
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Give up the lead, and what is on its way: its record says that it was not delivered."""
        for task in self._sending.values():
            task.cancel()
        await self.settled()
        await self._transport.close()
        await self._lead.resign()

    def _ended(self, org_id: UUID, task: "asyncio.Task[bool]") -> None:
        self._sending.pop(org_id, None)
        if not task.cancelled() and task.result():
            self.loop.wake()  # the clinic's next one; what was not recorded is not sent again at once

    async def _may_lead(self) -> bool:
        if await self._lead.is_kept():
            return True
        if time.monotonic() < self._ask_at:
            return False
        self._ask_at = time.monotonic() + CANDIDATE_SECONDS
        return await self._lead.take()

    async def _deliver(self, due: Due) -> bool:
        """Send one, and record what came of it; whether it is recorded. What is not is sent again."""
        try:
            problem, disabled = await self._send(due)
        except Exception:
            log.exception("A notice was not sent for a fault of ours", org_id=str(due.org_id), alarm=True)
            problem, disabled = "a fault of ours", None
        try:
            await self._record(due, problem, disabled)
        except db.WAITED_OUT_ERRORS as error:
            log.warning("What became of a notice was not recorded", org_id=str(due.org_id), reason=type(error).__name__)
            return False
        return True

    async def _record(self, due: Due, problem: str | None, disabled: str | None) -> None:
        if problem is None:
            await queue.delivered(self._pool, due)
            self._sent("delivered")
            return
        if disabled is None and due.failing_since is not None and due.now - due.failing_since >= GIVE_UP:
            disabled = "gave_up"
        if await queue.failed(self._pool, due, problem, self._pause(due.tries), disabled):
            self._sent("failed" if disabled is None else "disabled")
            self._tell(due, problem, disabled)

    async def _send(self, due: Due) -> tuple[str | None, str | None]:
        """(why it was not taken, why none is sent any more); (None, None) where it was taken."""
        sealed = [one for one in (due.sealed_secret, due.sealed_old) if one is not None]
        secrets = [self._box.open(due.org_id, one) for one in sealed]
        if secrets[0] is None:
            return WHY_DISABLED["secret_unreadable"], "secret_unreadable"
        if (problem := await address_problem(due.url, loopback_allowed=self._loopback_allowed)) is not None:
            return problem, None
        body = due.body.encode()
        headers = signed_headers(due.message_id, due.now, body, [one for one in secrets if one is not None])
        headers = {"content-type": "application/json", "user-agent": "Zerotouch", **headers}
        request = Request("POST", due.url, headers, body)
        try:
            async with asyncio.timeout(self._seconds_max):
                answer = await self._transport.send(request, ANSWER_BYTES_MAX)
        except TimeoutError:
            return f"no answer within {self._seconds_max:g} s", None
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: an address that cannot be asked
            return _said(error), None
        if 200 <= answer.status < 300:
            return None, None
        return f"it answered {answer.status}", "gone" if answer.status == GONE else None

    def _pause(self, tries: int) -> timedelta:
        """Up to a fifth longer, so that receivers that failed together are not asked together."""
        seconds = PAUSES_SECONDS[min(tries, len(PAUSES_SECONDS) - 1)]
        return timedelta(seconds=seconds * (1 + 0.2 * self._jitter()))

    def _tell(self, due: Due, problem: str, disabled: str | None) -> None:
        if disabled is not None:
            words = {"org_id": str(due.org_id), "why": disabled, "reason": problem}
            log.error("Notices to a clinic are disabled", **words, alarm=True)
        elif due.failing_since is None:
            log.warning("A notice was not taken", org_id=str(due.org_id), reason=problem)


def _said(error: Exception) -> str:
    """Why it could not be reached: the kind alone, as the error's own words may hold an address of ours."""
    cause = error.__cause__ or error
    os_error = getattr(error, "os_error", None)
    public = next((one for one in (error, cause, os_error) if isinstance(one, NotPublic)), None)
    return str(public) if public is not None else f"it cannot be reached: {type(error).__name__}"
