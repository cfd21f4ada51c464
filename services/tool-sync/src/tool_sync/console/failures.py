"""*A group of failures*: what they have in common, whom it concerns, since when, and trying them again in one go.

A page costs 100 assistants by an index and the newest 500 sentences of Vapi's. How many fail like this, when they began
to, and how far a job is, is read of all that fit, and kept in the process.
"""

import shlex
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from tool_sync.admin.retries import RetryJob, begin_retry, end_retry, newest_retries, read_retry
from tool_sync.console.access import FormRefused, PlatformPage, own_form, reason_of
from tool_sync.console.pages import fragment, page, see_other
from tool_sync.console.state import console_of, reads
from tool_sync.db import Connection
from tool_sync.http.problems import Problem
from tool_sync.http.state import state_of
from tool_sync.log.head import read_head
from tool_sync.queries.display_names import names_of
from tool_sync.queries.failures import Which, count_failures, failures_page
from tool_sync.vapi.masked import sayings
from tool_sync.vapi.words import words_of_code
from zerotouch_contracts.errors import ErrorCode, entry_of
from zerotouch_platform.auth import Platform
from zerotouch_platform.times import parse_time

SHOWN: Final = 100
RETRIED_MAX: Final = 1_000_000
WORDS_READ: Final = 500
SAYINGS_SHOWN: Final = 5
JOBS_SHOWN: Final = 20
CALLS_EACH: Final = 3
"""At most, where nothing goes wrong: the tool, a look at the assistant, and its link."""
CODE_CHARACTERS_MAX: Final = 40

router = APIRouter()


@router.get("/failures")
async def get_failures(
    request: Request, caller: PlatformPage, code: str = "", org: str = "", since: str = "", after: str = ""
) -> HTMLResponse:
    """The group that fits. ``after``: ``clinic/agent``, the last one of the page before."""
    which = which_of({"code": code, "org": org, "since": since})
    return await _group(request, caller, which, _after_of(after))


@router.get("/lacking")
async def get_lacking(request: Request, caller: PlatformPage) -> HTMLResponse:
    """Who lacks a tool that is wanted by now, though the newest outcome is a success."""
    async with reads(request) as connection:
        found = await console_of(request).counts.lacking.at(connection, await read_head(connection))
        names = await names_of(connection, {(one.org_id, agent) for one in found for agent in (None, one.agent_id)})
    shown, is_cut = found[:SHOWN], len(found) > SHOWN
    return page(request, "lacking", caller, command="tool-sync coverage", found=shown, is_cut=is_cut, names=names)


@router.post("/failures/retry")
async def post_retry(request: Request, caller: PlatformPage) -> Response:
    """Begins a job, and goes to its page."""
    form = await own_form(request)
    which = which_of(form)
    try:
        reason, actor = reason_of(form, caller)
    except FormRefused as error:
        return await _group(request, caller, which, None, problem=error, reason=form.get("reason", ""))
    async with reads(request) as connection:
        count = await count_failures(connection, which, RETRIED_MAX)
        if not count.assistants:
            raise FormRefused("nothing fails like that now: there is nothing to try again", 409)
        job_id = await begin_retry(connection, which, count, reason, actor)
    return see_other(f"/retries/{job_id}")


@router.get("/retries/{job_id}")
async def get_retry(request: Request, caller: PlatformPage, job_id: int) -> HTMLResponse:
    """How far a job is."""
    async with reads(request) as connection:
        part = await _job_part(request, connection, job_id)
    return page(request, "retry", caller, command="tool-sync access list", **part)


@router.get("/retries/{job_id}/part")
async def get_retry_part(request: Request, caller: PlatformPage, job_id: int, can_stop: bool = False) -> Response:
    """What changes of that page, to be loaded again. ``can_stop``: the page has a form that stops the job, and is
    loaded anew once there is nothing to stop."""
    async with reads(request) as connection:
        part = await _job_part(request, connection, job_id)
    if can_stop and part["job"].ended_at is not None:
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    return fragment(request, "retry", caller, **part)


@router.post("/retries/{job_id}/stop")
async def post_stop(request: Request, caller: PlatformPage, job_id: int) -> Response:
    """Ends a job: what was not asked for yet is not asked for any more."""
    reason, actor = reason_of(await own_form(request), caller)
    async with reads(request) as connection:
        job = await _job_of(connection, job_id)
        if job.ended_at is None:
            await end_retry(connection, job_id, reason, actor)
    return see_other(f"/retries/{job_id}")


def which_of(fields: Mapping[str, str]) -> Which:
    """The filter of an address or a form. Raises :class:`FormRefused`."""
    code, org, since = (fields.get(name, "").strip() for name in ("code", "org", "since"))
    known_code, org_id = code_and_org(code, org)
    try:
        return Which(known_code, org_id, parse_time(since) if since else None)
    except ValueError as error:
        raise FormRefused(f"since: {error}") from None


def code_and_org(code: str, org: str) -> tuple[str | None, UUID | None]:
    """Two parts of a filter; what is empty chooses nothing. Raises :class:`FormRefused`."""
    if len(code) > CODE_CHARACTERS_MAX or not code.isprintable():
        raise FormRefused("code: an error code is like TS-301")
    try:
        return code or None, UUID(org) if org else None
    except ValueError:
        raise FormRefused("org: the id of a clinic is a UUID") from None


def address_of(which: Which) -> str:
    """The page of a filter, below ``/console``."""
    return f"/failures?{urlencode(_fields(which))}"


def _fields(which: Which) -> dict[str, str]:
    since = None if which.since is None else f"{which.since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    org = None if which.org_id is None else str(which.org_id)
    fields = {"code": which.code, "org": org, "since": since}
    return {name: value for name, value in fields.items() if value is not None}


def _after_of(text: str) -> tuple[UUID, str] | None:
    org, _, agent = text.partition("/")
    try:
        return (UUID(org), agent) if text and agent.isprintable() else None
    except ValueError:
        raise FormRefused("after: this is no place of the list") from None


def _command(which: Which) -> str:
    options = (f"--{name} {shlex.quote(value)}" for name, value in _fields(which).items())
    return " ".join(("tool-sync failures list", *options))


async def _group(
    request: Request,
    caller: Platform,
    which: Which,
    after: tuple[UUID, str] | None,
    *,
    problem: FormRefused | None = None,
    reason: str = "",
) -> HTMLResponse:
    counts, installed = console_of(request).counts, state_of(request).installed
    async with reads(request) as connection:
        head = await read_head(connection)
        causes = []
        if which == Which():
            causes = await counts.causes(connection, head)
        group = await counts.group(which, connection, head)
        found = await failures_page(connection, which, after, SHOWN + 1)
        names = await names_of(connection, {(one.org_id, agent) for one in found for agent in (None, one.agent_id)})
        said = [] if which.code is None else await words_of_code(connection, which.code, WORDS_READ)
        jobs = await newest_retries(connection, JOBS_SHOWN) if which == Which() else []
    shown = found[:SHOWN]
    last = f"{shown[-1].org_id}/{shown[-1].agent_id}" if len(found) > SHOWN else None
    rate = None if installed is None else installed.calls_per_minute
    calls = CALLS_EACH * group.count.assistants
    return page(
        request,
        "failures",
        caller,
        command=_command(which),
        which=which,
        fields=_fields(which),
        entry=entry_of(which.code),
        causes=causes,
        count=group.count,
        is_exact=group.is_exact,
        found=shown,
        is_first=after is None,
        more=None if last is None else f"/failures?{urlencode({**_fields(which), 'after': last})}",
        names=names,
        drawn=group.drawn,
        sayings=sayings(said, SAYINGS_SHOWN),
        jobs=jobs,
        calls=calls,
        seconds=None if rate is None else calls * 60 / rate,
        rate=rate,
        problem=problem,
        reason=reason,
    )


async def _job_of(connection: Connection, job_id: int) -> RetryJob:
    job = await read_retry(connection, job_id) if 0 < job_id < 2**63 else None  # else the database cannot compare it
    if job is None:
        raise Problem(404, ErrorCode.NOT_FOUND, "there is no such job")
    return job


async def _job_part(request: Request, connection: Connection, job_id: int) -> dict[str, Any]:
    job = await _job_of(connection, job_id)
    progress = await console_of(request).counts.retries.at(job.correlation_id, connection, await read_head(connection))
    return {"job": job, "progress": progress, "path": address_of(job.which)}
