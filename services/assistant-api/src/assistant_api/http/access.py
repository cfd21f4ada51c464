"""A request and its row in the access log.

    token ─► scope ─► reason ─► Access ─► the route ─► row and write, one transaction ─► the answer
      │        └────────┴────────────────────┴─ refused: a row of its own, so many a minute
      └─ no good token: counted, no row

The row is there before the answer is: where it cannot be written, nothing is answered and nothing changed.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
import structlog
from fastapi import Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from opentelemetry.trace import get_current_span
from starlette.responses import Response

from assistant_api.access_log.counting import UNAUTHENTICATED, AccessCounter
from assistant_api.access_log.entry import Action, Entry, Result, Who, reason_problem
from assistant_api.access_log.record import record
from assistant_api.db import TRANSIENT_ERRORS, Connection, Database, DatabaseUnavailable
from assistant_api.erasures.guard import NOT_READ
from assistant_api.http.dependencies import CallerOf, dependencies_of
from assistant_api.http.needs import Rule, rule_of
from assistant_api.http.problems import ProblemResponse
from assistant_api.problem import Problem, invalid
from assistant_api.telemetry import own_trace_id
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller, NotAllowed, OrgMember, Platform

REASON_HEADER: Final = "X-Access-Reason"
"""As Google's `X-Goog-Request-Reason` and Discord's `X-Audit-Log-Reason`."""

_log: Final = structlog.get_logger()


class Access:
    """What one request does, as its row will say. ``is_recorded``: the row is committed."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.is_recorded = False

    def about(self, org_id: UUID | None, object_id: object = None, *, action: Action | None = None) -> Entry:
        """The row, now that it is known what it is about."""
        known = self.entry
        said = None if object_id is None else str(object_id)
        self.entry = Entry(known.who, action or known.action, org_id, said)
        return self.entry

    @asynccontextmanager
    async def writing(
        self, database: Database, org_id: UUID | None, object_id: object = None, *, action: Action | None = None
    ) -> AsyncIterator[Connection]:
        """A transaction of a write that begins with its row: neither is there without the other."""
        entry = self.about(org_id, object_id, action=action)
        async with database.transaction() as connection:
            await record(connection, entry)
            yield connection
        self.is_recorded = True


def _reason(request: Request) -> str | None:
    given = request.headers.get(REASON_HEADER)
    if given is None:
        return None
    try:
        reason = given.encode("latin-1").decode()
    except UnicodeError:
        raise invalid(f"{REASON_HEADER} is not UTF-8") from None
    if (problem := reason_problem(reason)) is not None:
        raise invalid(f"{REASON_HEADER}: {problem}")
    return reason


async def _access(
    request: Request,
    caller: CallerOf,
    _documented: Annotated[
        str | None, Header(alias=REASON_HEADER, description="Why, in one line that is kept and names no patient.")
    ] = None,
) -> Access:
    rule = rule_of(request)
    assert rule.action is not None
    access = _begun(request, caller, rule.action)
    reason = _reason(request)
    if reason is None and rule.asks_why and isinstance(caller, Platform):
        detail = (
            f"a token of the platform reads and erases patients only with a reason: send the header {REASON_HEADER}"
        )
        raise Problem(403, ErrorCode.FORBIDDEN, detail, extra={"header": REASON_HEADER})
    access.entry = Entry(_who(caller, reason), rule.action, access.entry.org_id)
    if rule.shows_patients and dependencies_of(request).erasure_guard.reads_suspended:
        raise Problem(503, ErrorCode.NOT_READY, NOT_READ, headers={"Retry-After": "5"})
    return access


AccessOf = Annotated[Access, Depends(_access)]


def _who(caller: Caller, reason: str | None) -> Who:
    return Who.of(caller, own_trace_id(get_current_span()), reason)


def _begun(request: Request, caller: Caller, action: Action) -> Access:
    org_id = caller.org_id if isinstance(caller, OrgMember) else None
    request.state.access = access = Access(Entry(_who(caller, None), action, org_id))
    return access


class LoggedRoute(APIRoute):
    """A route whose requests are in the access log: done by the route itself, refused and failed here."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, and the row of what it did not do."""
        handle: Any = super().get_route_handler()

        async def handle_and_log(request: Request) -> Response:
            rule = rule_of(request)
            if rule.action is None:
                answer: Response = await handle(request)
                return answer
            try:
                response: Response = await handle(request)
            except Problem as problem:
                await _not_done(request, rule, problem.status, problem.code)
                raise
            except (NotAllowed, RequestValidationError) as error:
                refused = (
                    (403, ErrorCode.FORBIDDEN) if isinstance(error, NotAllowed) else (422, ErrorCode.INVALID_REQUEST)
                )
                await _not_done(request, rule, *refused)
                raise
            except (DatabaseUnavailable, *TRANSIENT_ERRORS):
                _counter(request).count(rule.action, Result.FAILED)  # there is nowhere to write to
                raise
            except Exception:
                await _not_done(request, rule, 500, ErrorCode.INTERNAL)
                raise
            if isinstance(response, ProblemResponse):
                await _not_done(request, rule, response.status_code, response.code)
            elif (access := _access_of(request)) is not None and not _is_replay(response):
                assert access.is_recorded, f"{rule.action} was answered without a row in the access log"
                _counter(request).count(access.entry.action, Result.DONE)
            return response

        return handle_and_log


def _is_replay(response: Response) -> bool:
    """A kept answer: the request that it belongs to has its row."""
    return "idempotent-replayed" in response.headers


def _access_of(request: Request) -> Access | None:
    access: Access | None = getattr(request.state, "access", None)
    return access


def _counter(request: Request) -> AccessCounter:
    return dependencies_of(request).access_counter


async def _not_done(request: Request, rule: Rule, status: int, code: ErrorCode) -> None:
    assert rule.action is not None
    access, caller = _access_of(request), getattr(request.state, "caller", None)
    if access is None and caller is not None:  # refused before it was known what it is about
        access = _begun(request, caller, rule.action)
    if access is None:
        _counter(request).count(rule.action, UNAUTHENTICATED if status == 401 else Result.REFUSED)
        return
    if access.is_recorded:  # stored, and refused by Vapi: the row says that it was stored
        _counter(request).count(access.entry.action, Result.DONE)
        return
    entry = access.entry.refused(code) if status < 500 else access.entry.failed(code)
    await note_refusal(dependencies_of(request).database, _counter(request), entry)


async def note_refusal(database: Database, counter: AccessCounter, entry: Entry) -> None:
    """Count what was not done, and write its row where there are not too many; the answer stands without it."""
    counter.count(entry.action, entry.result)
    if not counter.takes_row(entry):
        return
    try:
        async with database.connection() as connection:
            await record(connection, entry)
    except (DatabaseUnavailable, *TRANSIENT_ERRORS, asyncpg.PostgresError) as error:
        _log.warning("access_not_noted", action=entry.action, result=entry.result, reason=type(error).__name__)
