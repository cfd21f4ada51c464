"""`/api/agents`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from opentelemetry.trace import get_current_span
from starlette.responses import Response

from assistant_api.agents import read as agents
from assistant_api.agents import save_requests
from assistant_api.agents.adopt import require_adoptable
from assistant_api.agents.rows import delete_agent
from assistant_api.agents.schemas import AgentChange, NewAgent, Saved
from assistant_api.document import AgentMarker
from assistant_api.http.body import documented, parse, read_bytes
from assistant_api.http.dependencies import CallerOf, Dependencies, DependenciesOf
from assistant_api.http.idempotency import Ids, answer_once, keep_within
from assistant_api.http.routes.answers import answer_save, log_arrival, new_request
from assistant_api.telemetry import own_traceparent
from zerotouch_platform.auth import Caller

router = APIRouter(prefix="/api/agents", tags=["agents"])

OrgId = Annotated[UUID | None, Query(alias="orgId")]


@router.post("", response_model=Saved, openapi_extra=documented(NewAgent), summary="Add an agent and its assistant")
async def create(
    request: Request, parts: DependenciesOf, caller: CallerOf, idempotency_key: Annotated[str | None, Header()] = None
) -> Response:
    """Save a new agent. 202 while Vapi has not answered, 422 if Vapi refuses; the agent is stored in either case."""
    raw = await read_bytes(request, parts.settings.body_bytes_max)

    async def answer(ids: Ids) -> Response:
        body = parse(raw, NewAgent)
        org_id = agents.require_org(caller, body.org_id)
        agent_id = body.id or str(ids.make("agent"))
        values = body.model_dump(by_alias=True, exclude={"id", "org_id"})
        if body.vapi_assistant_id is not None:
            await _require_adoptable(parts, caller, org_id, agent_id, body.vapi_assistant_id)
        made, account = new_request(ids), parts.settings.vapi_account
        async with parts.database.transaction() as connection:
            revision = await save_requests.create_agent(connection, org_id, agent_id, values, account, made)
        log_arrival(org_id, agent_id, made, cause="save")
        return await answer_save(parts, org_id, agent_id, revision, made)

    return await answer_once(parts.database, parts.settings, caller, idempotency_key, "POST /api/agents", raw, answer)


@router.patch("/{agent_id}", response_model=Saved, openapi_extra=documented(AgentChange), summary="Change an agent")
async def change(
    request: Request,
    parts: DependenciesOf,
    caller: CallerOf,
    agent_id: str,
    org_id: OrgId = None,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Save a change; an empty one is a save too. Answers as the creation does."""
    raw = await read_bytes(request, parts.settings.body_bytes_max)

    async def answer(ids: Ids) -> Response:
        body = parse(raw, AgentChange)
        key = await agents.resolve(parts.database, caller, agent_id, org_id)
        values: dict[str, Any] = body.model_dump(by_alias=True, exclude_unset=True)
        if "vapiAssistantId" in values:
            await _require_adoptable(parts, caller, *key, values["vapiAssistantId"])
        made = new_request(ids)
        async with parts.database.transaction() as connection:
            revision = await save_requests.change_agent(connection, *key, values, made)
        log_arrival(*key, made, cause="save")
        return await answer_save(parts, *key, revision, made)

    route = f"PATCH /api/agents/{agent_id}?orgId={org_id or ''}"
    return await answer_once(parts.database, parts.settings, caller, idempotency_key, route, raw, answer)


@router.delete("/{agent_id}", status_code=204, summary="Delete an agent and its assistant")
async def delete(
    parts: DependenciesOf,
    caller: CallerOf,
    agent_id: str,
    org_id: OrgId = None,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Forget the agent at once; its assistant is deleted at Vapi in the background, for as long as that takes. One that
    was adopted stays there, without what is ours.

    `AssistantDeleted` follows by itself where the agent was announced. Saves that are not at Vapi end as `deleted`.
    """

    async def answer(_: Ids) -> Response:
        key = await agents.resolve(parts.database, caller, agent_id, org_id)
        done = Response(status_code=204)
        async with parts.database.transaction() as connection:
            await delete_agent(connection, *key, own_traceparent(get_current_span()))
            await keep_within(connection, caller, idempotency_key, done)
        parts.remover.wake()
        parts.wake_relay()
        return done

    route = f"DELETE /api/agents/{agent_id}?orgId={org_id or ''}"
    return await answer_once(parts.database, parts.settings, caller, idempotency_key, route, b"", answer)


@router.get("", summary="List agents, by organization and id, page by page")
async def page(
    parts: DependenciesOf,
    caller: CallerOf,
    org_id: OrgId = None,
    limit: Annotated[int, Query(ge=1, le=agents.PAGE_MAX)] = 50,
    after: Annotated[str | None, Query(max_length=400)] = None,
) -> dict[str, Any]:
    """The agents of the caller's organization; with the platform's token those of `orgId`, or of all."""
    return await agents.page(parts.database, caller, org_id, limit=limit, after=after)


@router.get("/{agent_id}", summary="Show one agent")
async def read(parts: DependenciesOf, caller: CallerOf, agent_id: str, org_id: OrgId = None) -> dict[str, Any]:
    """The agent, and how far its newest revision is."""
    return await agents.read(parts.database, caller, agent_id, org_id)


async def _require_adoptable(
    parts: Dependencies, caller: Caller, org_id: UUID, agent_id: str, assistant_id: str
) -> None:
    mark = AgentMarker(parts.installation_id, org_id, agent_id)
    await require_adoptable(parts.database, parts.vapi, caller, parts.settings.vapi_account, mark, assistant_id)
