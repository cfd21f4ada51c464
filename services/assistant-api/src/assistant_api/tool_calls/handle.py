"""One tool call, answered once: the change, its answer and its message are one transaction.

check ─► Foreign ─────────────────────────────► an error, nothing written
      ─► stored answer of the same request ───► the same answer
      ─► Unfit │ Fit ─► book, cancel, move ───► row + answer + ToolCallHandled
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from opentelemetry.trace import Span

from assistant_api.access_log.entry import Action, Entry
from assistant_api.access_log.record import record as log_access
from assistant_api.appointments.access import calendar_of, tried_calendar_of
from assistant_api.appointments.book import book
from assistant_api.appointments.calendar import Clinic
from assistant_api.appointments.cancel import cancel
from assistant_api.appointments.claims import Claim
from assistant_api.appointments.clinic import COLUMNS, from_row
from assistant_api.appointments.outcomes import ChangeRefused, Outcome
from assistant_api.appointments.phones import read
from assistant_api.appointments.reschedule import reschedule
from assistant_api.appointments.tries import scope_of
from assistant_api.db import TRANSIENT_ERRORS, Connection, Database, DatabaseUnavailable
from assistant_api.published.view import PublishedView
from assistant_api.settings import Settings
from assistant_api.telemetry import own_traceparent
from assistant_api.tool_calls import answers
from assistant_api.tool_calls.accessed import accessed
from assistant_api.tool_calls.answers import Answer, answer_of
from assistant_api.tool_calls.arguments import Fit, Foreign, Unfit, check
from assistant_api.tool_calls.identity import NOBODY_KNOWS, REPEAT_SECONDS, request_hash, request_secret, stored_id
from assistant_api.tool_calls.payload import ToolCall, ToolCalls
from assistant_api.tool_calls.record import Decided, Delivery, record
from zerotouch_contracts.arguments import (
    BookClinicAppointment,
    CancelAppointment,
    CancelAppointmentV2,
    RescheduleAppointment,
    RescheduleAppointmentV2,
)
from zerotouch_platform.loops import Wake
from zerotouch_platform.telemetry import Telemetry

_READ: Final = """
SELECT o.id, o.calendar, o.time_zone, o.country, o.slot_minutes, o.opening_hours, o.services, t.code, t.failed, t.answer
FROM organizations o
LEFT JOIN LATERAL (
    SELECT code, failed, answer FROM tool_calls
    WHERE org_id = o.id AND call_id = $2 AND tool_call_id = $3 AND request = $4
      AND (call_id <> '' OR handled_at > now() - make_interval(secs => $5))
) t ON true
WHERE o.id = $1
"""

_CLINIC: Final = f"SELECT {COLUMNS} FROM organizations WHERE id = $1"  # noqa: S608 - a constant

CROWDED: Final = (asyncpg.LockNotAvailableError, asyncpg.TransactionRollbackError)
"""Too many at once for one clinic: a lock was not had in time, or a deadlock was broken."""

_log: Final = structlog.get_logger()


class CallFailed(Exception):
    """The database refused what was written. Its own message may quote a row: this one has codes only."""

    def __init__(self, sqlstate: str, constraint: str) -> None:
        super().__init__(f"writing a tool call's outcome failed: SQLSTATE {sqlstate}, constraint {constraint or '-'}")
        self.sqlstate, self.constraint = sqlstate, constraint


class _AnsweredMeanwhile(Exception):
    """Another delivery of the same call was faster: roll back, and give its answer."""


@dataclass(frozen=True, slots=True)
class ToolCallHandler:
    """Answers tool calls. ``wake_relay`` says that the outbox has something; ``published`` what versions there are."""

    settings: Settings
    telemetry: Telemetry
    database: Database
    wake_relay: Wake
    published: PublishedView
    count: Callable[[str, str], None]
    """How often what was done, and what came of it."""
    measured: Callable[[str, str, float], None] = lambda _tool, _code, _seconds: None
    """How long the answer of a tool's call took, with its code."""

    async def handle(self, asked: ToolCalls, call: ToolCall) -> Answer:
        """Answer one call of ``asked``. The same request gets the same answer, however often it comes."""
        if call.id is None:
            return _foreign("This tool call has no id, so nothing was done.")
        # As it was read last: a call does not wait for what a version is, and names its contract beside it.
        checked = check(call, self.published.now.contract)
        if isinstance(checked, Foreign):
            return _foreign(checked.explanation)
        secret = request_secret(self.settings.vapi_api_key.get_secret_value())
        kind = "fit" if isinstance(checked, Fit) else checked.code
        # Without a conversation an equal request may be somebody else's, whom the answer is no business of.
        asker = None if asked.conversation else asked.caller
        request = request_hash(secret, call.name, kind, [asker, checked.asked] if asker else checked.asked)
        whose = asked.conversation, asked.caller, asked.assistant_id
        delivery = Delivery(*whose, stored_id(call.id), request, checked, time.monotonic())
        tool = delivery.tool
        attributes = {"org_id": str(checked.org_id), "tool": tool}
        with self.telemetry.span(f"tool call {tool}", attributes=attributes) as span:
            answer = await self._answer(delivery, span)
            span.set_attribute("zerotouch.code", answer.code)
        self.measured(tool, answer.code, time.monotonic() - delivery.started)
        _log.info("tool_call_handled", org_id=str(checked.org_id), tool=tool, code=answer.code)
        return answer

    async def try_out(self, checked: Fit | Unfit) -> Answer | None:
        """What a caller would be told now, and nothing of it stays: no appointment, no record, no message, no count.

        Runs what :meth:`handle` runs, in a transaction that is rolled back. None where there is no such organization.
        Raises :class:`CallFailed`, and what the database raises where it does not answer or others hold the calendar.
        """
        delivery = Delivery(NOBODY_KNOWS, None, None, "dry-run", "", checked, time.monotonic())
        try:
            async with tried_calendar_of(self.database, checked.org_id) as connection:
                row = await connection.fetchrow(_CLINIC, checked.org_id)
                if row is None:
                    return None
                decided = await self._decide(connection, delivery, dict(row))
        except (*TRANSIENT_ERRORS, *CROWDED):
            raise
        except asyncpg.PostgresError as error:
            raise _failed(error) from None
        return decided.answer

    async def _answer(self, delivery: Delivery, span: Span) -> Answer:
        try:
            answer, entry = await self._once(delivery, span)
        except _AnsweredMeanwhile:
            answer, entry = await self._once(delivery, span)
        except (DatabaseUnavailable, *TRANSIENT_ERRORS, *CROWDED) as error:
            # Not a 503: Vapi ignores whatever comes with another status than 200, and the model would hear nothing.
            _log.warning("tool_call_unavailable", org_id=str(delivery.checked.org_id), reason=type(error).__name__)
            return answers.UNAVAILABLE
        except asyncpg.PostgresError as error:
            if error.sqlstate == "23503":  # deleted since it was read
                return answers.unknown_clinic()
            raise _failed(error) from None
        if entry is not None:
            self.count(entry.action, entry.result)
        return answer

    async def _once(self, delivery: Delivery, span: Span) -> tuple[Answer, Entry | None]:
        org_id: UUID = delivery.checked.org_id
        async with calendar_of(self.database, org_id) as connection:
            key = delivery.conversation, delivery.tool_call_id, delivery.request
            row = await connection.fetchrow(_READ, org_id, *key, REPEAT_SECONDS)
            if row is None:
                return answers.unknown_clinic(), None
            if row["answer"] is not None:
                kept = Answer(row["code"], row["answer"], row["failed"])
                entry = accessed(delivery.checked, kept, Action.TOOL_CALL_REPEAT, delivery.tool_call_id, span)
                await log_access(connection, entry)
                return kept, entry
            decided = await self._decide(connection, delivery, dict(row))
            action = Action.of_tool(delivery.tool)
            entry = accessed(delivery.checked, decided.answer, action, delivery.tool_call_id, span)
            if not await record(connection, delivery, decided, entry, traceparent=own_traceparent(span)):
                raise _AnsweredMeanwhile
        self.wake_relay()
        return decided.answer, entry

    async def _decide(self, connection: Connection, delivery: Delivery, row: Mapping[str, Any]) -> Decided:
        match delivery.checked:
            case Unfit(_, _, version, code, explanation, _):
                return Decided(Answer(code, answers.one_line(explanation), failed=True), version)
            case Fit() as fit:
                clinic = from_row(row)
                outcome = await self._act(connection, delivery, fit, clinic)
                changed = None if isinstance(outcome, ChangeRefused) else outcome.appointment_id
                return Decided(answer_of(outcome, clinic), fit.version, changed)

    async def _act(self, connection: Connection, delivery: Delivery, fit: Fit, clinic: Clinic) -> Outcome:
        now, days_ahead_max = datetime.now(UTC), self.settings.booking_days_ahead_max
        match fit.arguments:
            case BookClinicAppointment() as wish:
                where = {"conversation": delivery.conversation, "tool_call_id": delivery.tool_call_id}
                return await book(connection, clinic, wish, **where, now=now, days_ahead_max=days_ahead_max)
            case CancelAppointment() as wish:
                return await cancel(connection, clinic, self._claim(delivery, clinic, wish, now), now=now)
            case RescheduleAppointment() as wish:
                claim = self._claim(delivery, clinic, wish, now)
                to = wish.new_date, wish.new_time
                return await reschedule(connection, clinic, claim, *to, now=now, days_ahead_max=days_ahead_max)
            case other:
                raise AssertionError(f"no verb for {type(other).__name__}: every model of ANSWERED needs one")

    def _claim(
        self, delivery: Delivery, clinic: Clinic, wish: CancelAppointment | RescheduleAppointment, now: datetime
    ) -> Claim:
        secret = request_secret(self.settings.vapi_api_key.get_secret_value())
        phone = read(wish.patient_phone, clinic.country)
        caller = None if delivery.caller is None else read(delivery.caller, clinic.country)
        return Claim(
            phone=phone,
            day=wish.appointment_date,
            name=wish.patient_name if isinstance(wish, CancelAppointmentV2 | RescheduleAppointmentV2) else None,
            caller=caller if caller is not None and caller.possible else None,
            scope=scope_of(delivery.conversation, phone, secret=secret, now=now),
        )


def _failed(error: asyncpg.PostgresError) -> CallFailed:
    return CallFailed(str(error.sqlstate), str(getattr(error, "constraint_name", None) or ""))


def _foreign(explanation: str) -> Answer:
    _log.info("tool_call_foreign", reason=explanation)
    return Answer("foreign", explanation, failed=True)
