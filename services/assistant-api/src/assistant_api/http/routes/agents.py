"""`/api/agents`."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from opentelemetry.trace import get_current_span
from pydantic_core import to_json
from starlette.responses import JSONResponse, Response

from assistant_api.agents import read as agents
from assistant_api.agents import save_requests
from assistant_api.agents.adopt import require_adoptable
from assistant_api.agents.room import require_room_for_agent, require_room_for_save
from assistant_api.agents.rows import delete_agent
from assistant_api.agents.schemas import AgentChange, NewAgent, Saved
from assistant_api.document import AgentMarker
from assistant_api.http.access import AccessOf, LoggedRoute
from assistant_api.http.body import parse
from assistant_api.http.dependencies import SEVERAL, After, AgentId, CallerOf, Dependencies, DependenciesOf, OrgId
from assistant_api.http.idempotency import Ids, OnceOf
from assistant_api.http.routes.answers import ACCEPTED, answer_save, log_arrival, new_request
from assistant_api.http.shown import Agent, AgentsPage
from assistant_api.telemetry import own_traceparent
from zerotouch_platform.auth import Caller
from zerotouch_platform.openapi import documented

router = APIRouter(prefix="/api/agents", tags=["agents"], route_class=LoggedRoute)

_EXAMPLE: Final = {
    "id": "reception",
    "name": "Reception",
    "systemPrompt": "You answer the phone of a clinic.",
    "model": {"provider": "openai", "model": "gpt-4o"},
}


@router.post(
    "",
    response_model=Saved,
    responses=ACCEPTED,
    openapi_extra=documented(NewAgent, _EXAMPLE),
    summary="Add an agent and its assistant",
)
async def create(parts: DependenciesOf, caller: CallerOf, once: OnceOf, access: AccessOf) -> Response:
    """Save a new agent. 202 while Vapi has not answered, 422 if Vapi refuses; the agent is stored in either case."""
    raw = await once.body()

    async def answer(ids: Ids) -> Response:
        body = parse(raw, NewAgent)
        org_id = agents.require_org(caller, body.org_id)
        agent_id = body.id or str(ids.make("agent"))
        values = body.model_dump(by_alias=True, exclude={"id", "org_id"})
        if body.vapi_assistant_id is not None:
            await _require_adoptable(parts, caller, org_id, agent_id, body.vapi_assistant_id)
        made, account = new_request(ids), parts.settings.vapi_account
        async with access.writing(parts.database, org_id, agent_id) as connection:
            limit, refusals = parts.settings, parts.limits.refusals
            await require_room_for_save(connection, org_id, limit.saves_waiting_max, refusals)
            await require_room_for_agent(connection, org_id, made.request_id, limit.agents_per_org_max, refusals)
            revision = await save_requests.create_agent(connection, org_id, agent_id, values, account, made)
        log_arrival(org_id, agent_id, made, cause="save")
        return await answer_save(parts, org_id, agent_id, revision, made)

    return await once.answer("POST /api/agents", raw, answer)


@router.patch(
    "/{agent_id}",
    response_model=Saved,
    responses=ACCEPTED,
    openapi_extra=documented(AgentChange, {"firstMessage": "Good day."}),
    summary="Change an agent",
)
async def change(
    parts: DependenciesOf, caller: CallerOf, once: OnceOf, access: AccessOf, agent_id: AgentId, org_id: OrgId = None
) -> Response:
    """Save a change; an empty one is a save too. Answers as the creation does."""
    raw = await once.body()

    async def answer(ids: Ids) -> Response:
        body = parse(raw, AgentChange)
        key = await agents.resolve(parts.database, caller, agent_id, org_id)
        values: dict[str, Any] = body.model_dump(by_alias=True, exclude_unset=True)
        if "vapiAssistantId" in values:
            await _require_adoptable(parts, caller, *key, values["vapiAssistantId"])
        made = new_request(ids)
        async with access.writing(parts.database, *key) as connection:
            await require_room_for_save(connection, key[0], parts.settings.saves_waiting_max, parts.limits.refusals)
            revision = await save_requests.change_agent(connection, *key, values, made)
        log_arrival(*key, made, cause="save")
        return await answer_save(parts, *key, revision, made)

    route = f"PATCH /api/agents/{agent_id}?orgId={org_id or ''}"
    return await once.answer(route, raw, answer)


@router.delete("/{agent_id}", status_code=204, summary="Delete an agent and its assistant")
async def delete(
    parts: DependenciesOf, caller: CallerOf, once: OnceOf, access: AccessOf, agent_id: AgentId, org_id: OrgId = None
) -> Response:
    """Forget the agent at once; its assistant is deleted at Vapi in the background, for as long as that takes. One that
    was adopted stays there, without what is ours.

    `AssistantDeleted` follows by itself where the agent was announced. Saves that are not at Vapi end as `deleted`.
    """

    async def answer(_: Ids) -> Response:
        key = await agents.resolve(parts.database, caller, agent_id, org_id)
        done = Response(status_code=204)
        async with access.writing(parts.database, *key) as connection:
            await delete_agent(connection, *key, own_traceparent(get_current_span()))
            await once.keep_within(connection, done)
        parts.remover.wake()
        parts.wake_relay()
        return done

    route = f"DELETE /api/agents/{agent_id}?orgId={org_id or ''}"
    return await once.answer(route, b"", answer)


@router.get("", response_model=AgentsPage, summary="List agents, by organization and id, page by page")
async def page(
    parts: DependenciesOf,
    caller: CallerOf,
    org_id: OrgId = None,
    limit: Annotated[int, Query(ge=1, le=agents.PAGE_MAX)] = 50,
    after: After = None,
) -> Response:
    """The agents of the caller's organization; with the platform's token those of `orgId`, or of all.

    A page of long prompts has fewer than `limit`: what counts is whether there is a `next`.
    """
    found = await agents.page(parts.database, caller, org_id, limit=limit, after=after)
    return Response(to_json(found), media_type="application/json")  # the standard library takes 0.06 s for a megabyte


@router.get("/{agent_id}", response_model=Agent, responses=SEVERAL, summary="Show one agent")
async def read(parts: DependenciesOf, caller: CallerOf, agent_id: AgentId, org_id: OrgId = None) -> Response:
    """The agent, and how far its newest revision is."""
    return JSONResponse(await agents.read(parts.database, caller, agent_id, org_id))


async def _require_adoptable(
    parts: Dependencies, caller: Caller, org_id: UUID, agent_id: str, assistant_id: str
) -> None:
    mark = AgentMarker(parts.settings.installation_id, org_id, agent_id)
    await require_adoptable(parts.database, parts.accounts, caller, mark, assistant_id)
