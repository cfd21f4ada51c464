"""`/api/assistants`: sync, auto-sync and status."""

from uuid import UUID

from fastapi import APIRouter
from opentelemetry.trace import get_current_span
from starlette.responses import Response

from assistant_api.access_log.entry import Action
from assistant_api.agents import read as agents
from assistant_api.agents import save_requests
from assistant_api.agents.room import require_room_for_save
from assistant_api.agents.schemas import AllRequested, AutoSyncRequest, Saved, Status, SyncRequest
from assistant_api.agents.status import read_status
from assistant_api.http.access import Access, AccessOf, LoggedRoute
from assistant_api.http.body import parse, written
from assistant_api.http.dependencies import SEVERAL, AgentId, CallerOf, Dependencies, DependenciesOf, OrgId
from assistant_api.http.idempotency import Ids, Once, OnceOf
from assistant_api.http.routes.answers import ACCEPTED, ACCEPTED_MEANING, answer_save, log_arrival, new_request
from assistant_api.telemetry import own_trace_id, own_traceparent
from zerotouch_platform.auth import Caller
from zerotouch_platform.openapi import documented

router = APIRouter(prefix="/api/assistants", tags=["assistants"], route_class=LoggedRoute)


@router.post(
    "/sync",
    response_model=Saved,
    responses=ACCEPTED,
    openapi_extra=documented(SyncRequest, {"agentId": "reception"}),
    summary="Sync one assistant",
)
async def sync(parts: DependenciesOf, caller: CallerOf, once: OnceOf, access: AccessOf) -> Response:
    """Write the agent to Vapi, if it is not there, and have its tools synced. The answer never waits for the tools.

    While a save of it waits that nothing has begun with, the answer is that one's, with its `requestId`.
    """
    raw = await once.body()

    async def answer(ids: Ids) -> Response:
        body = parse(raw, SyncRequest)
        return await _sync_one(parts, caller, access, body.agent_id, body.org_id, "sync", ids)

    return await once.answer("POST /api/assistants/sync", raw, answer)


@router.post(
    "/auto-sync",
    response_model=Saved | AllRequested,
    responses={202: {"model": Saved | AllRequested, "description": ACCEPTED_MEANING}},
    openapi_extra=documented(AutoSyncRequest, {"agentId": "reception"}),
    summary="Sync one assistant, or all of an organization",
)
async def auto_sync(parts: DependenciesOf, caller: CallerOf, once: OnceOf, access: AccessOf) -> Response:
    """With `agentId`, the same as sync. Without it, all agents of the organization are synced; 202.

    While one of all is under way, another one joins it. To have one agent looked at anew meanwhile, name it.
    """
    raw = await once.body()

    async def answer(ids: Ids) -> Response:
        body = parse(raw, AutoSyncRequest, empty_is_object=True)
        if body.agent_id is not None:
            return await _sync_one(parts, caller, access, body.agent_id, body.org_id, "auto_sync", ids)
        return await _sync_all(parts, caller, access, body.org_id, once)

    return await once.answer("POST /api/assistants/auto-sync", raw, answer)


@router.get(
    "/{agent_id}/status",
    response_model=Status,
    responses=SEVERAL,
    summary="Show how far the sync of an assistant's tools is",
)
async def status(parts: DependenciesOf, caller: CallerOf, agent_id: AgentId, org_id: OrgId = None) -> Response:
    """Read from the agent and the newest outcome that tool-sync published."""
    key = parts.accounts.platform.vapi.key
    found = await read_status(parts.database, key.fingerprint, caller, agent_id, org_id)
    return written(found)


async def _sync_one(
    parts: Dependencies, caller: Caller, access: Access, agent_id: str, named_org: UUID | None, cause: str, ids: Ids
) -> Response:
    key = await agents.resolve(parts.database, caller, agent_id, named_org)
    asked = new_request(ids)
    async with access.writing(parts.database, *key, action=Action.AGENT_SYNC) as connection:
        await require_room_for_save(connection, key[0], parts.settings.saves_waiting_max, parts.limits.refusals)
        revision, answered = await save_requests.request_save(connection, *key, cause, asked)
    log_arrival(*key, answered, cause=cause, joined=answered != asked)
    return await answer_save(parts, *key, revision, answered)


async def _sync_all(
    parts: Dependencies, caller: Caller, access: Access, named_org: UUID | None, once: Once
) -> Response:
    org_id = agents.require_org(caller, named_org)
    span = get_current_span()
    async with access.writing(parts.database, org_id, org_id) as connection:
        found = await save_requests.request_save_of_all(
            connection, org_id, own_traceparent(span), joined_seconds=parts.settings.auto_sync_joined_seconds
        )
        asked = AllRequested(
            success=True,
            org_id=org_id,
            auto_sync_id=found.id,
            asked_at=found.asked_at,
            joined=found.joined,
            requested=found.agents,
            trace_id=own_trace_id(span),
        )
        done = written(asked, 202)
        await once.keep_within(connection, done)
    log_arrival(org_id, None, None, cause="auto_sync", agents=found.agents, joined=found.joined)
    parts.provisioner.wake()
    return done
