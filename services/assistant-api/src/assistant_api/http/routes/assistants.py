"""`/api/assistants`: sync, auto-sync and status."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from opentelemetry.trace import get_current_span
from starlette.responses import JSONResponse, Response

from assistant_api.agents import read as agents
from assistant_api.agents import save_requests
from assistant_api.agents.schemas import AllRequested, AutoSyncRequest, Saved, Status, SyncRequest
from assistant_api.agents.status import read_status
from assistant_api.http.body import documented, parse, read_bytes
from assistant_api.http.dependencies import CallerOf, Dependencies, DependenciesOf
from assistant_api.http.idempotency import Ids, answer_once, keep_within
from assistant_api.http.routes.answers import answer_save, log_arrival, new_request
from assistant_api.telemetry import own_trace_id, own_traceparent
from zerotouch_platform.auth import Caller

router = APIRouter(prefix="/api/assistants", tags=["assistants"])

Key = Annotated[str | None, Header(alias="Idempotency-Key")]


@router.post("/sync", response_model=Saved, openapi_extra=documented(SyncRequest), summary="Sync one assistant")
async def sync(request: Request, parts: DependenciesOf, caller: CallerOf, idempotency_key: Key = None) -> Response:
    """Write the agent to Vapi, if it is not there, and have its tools synced. The answer never waits for the tools."""
    raw = await read_bytes(request, parts.settings.body_bytes_max)

    async def answer(ids: Ids) -> Response:
        body = parse(raw, SyncRequest)
        return await _sync_one(parts, caller, body.agent_id, body.org_id, "sync", ids)

    return await answer_once(
        parts.database, parts.settings, caller, idempotency_key, "POST /api/assistants/sync", raw, answer
    )


@router.post(
    "/auto-sync",
    response_model=Saved | AllRequested,
    openapi_extra=documented(AutoSyncRequest),
    summary="Sync one assistant, or all of an organization",
)
async def auto_sync(request: Request, parts: DependenciesOf, caller: CallerOf, idempotency_key: Key = None) -> Response:
    """With `agentId`, the same as sync. Without it, all agents of the organization are synced; 202."""
    raw = await read_bytes(request, parts.settings.body_bytes_max)

    async def answer(ids: Ids) -> Response:
        body = parse(raw, AutoSyncRequest, empty_is_object=True)
        if body.agent_id is not None:
            return await _sync_one(parts, caller, body.agent_id, body.org_id, "auto_sync", ids)
        return await _sync_all(parts, caller, body.org_id, idempotency_key)

    return await answer_once(
        parts.database, parts.settings, caller, idempotency_key, "POST /api/assistants/auto-sync", raw, answer
    )


@router.get("/{agent_id}/status", response_model=Status, summary="Show how far the sync of an assistant's tools is")
async def status(
    parts: DependenciesOf, caller: CallerOf, agent_id: str, org_id: Annotated[UUID | None, Query(alias="orgId")] = None
) -> Response:
    """Read from the agent and the newest outcome that tool-sync published."""
    found = await read_status(parts.database, parts.vapi.key.fingerprint, caller, agent_id, org_id)
    return JSONResponse(found.model_dump(mode="json", by_alias=True))


async def _sync_one(
    parts: Dependencies, caller: Caller, agent_id: str, named_org: UUID | None, cause: str, ids: Ids
) -> Response:
    key = await agents.resolve(parts.database, caller, agent_id, named_org)
    made = new_request(ids)
    async with parts.database.transaction() as connection:
        revision = await save_requests.request_save(connection, *key, cause, made)
    log_arrival(*key, made, cause=cause)
    return await answer_save(parts, *key, revision, made)


async def _sync_all(
    parts: Dependencies, caller: Caller, named_org: UUID | None, idempotency_key: str | None
) -> Response:
    org_id = agents.require_org(caller, named_org)
    span = get_current_span()
    async with parts.database.transaction() as connection:
        requested = await save_requests.request_save_of_all(connection, org_id, "auto_sync", own_traceparent(span))
        asked = AllRequested(success=True, org_id=org_id, requested=requested, trace_id=own_trace_id(span))
        done = JSONResponse(asked.model_dump(mode="json", by_alias=True), 202)
        await keep_within(connection, caller, idempotency_key, done)
    log_arrival(org_id, None, None, cause="auto_sync", agents=requested)
    parts.provisioner.wake()
    return done
