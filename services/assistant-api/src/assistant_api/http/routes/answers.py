"""The answer to every kind of save: wait for Vapi a little, then say where the assistant is."""

from typing import Any, Final
from uuid import UUID

import structlog
from opentelemetry.trace import get_current_span
from starlette.responses import Response

from assistant_api.agents.save_requests import SaveRequest
from assistant_api.agents.schemas import Saved
from assistant_api.agents.wait import Deleted, NotTaken, Provisioned, Provisioning, wait_for_vapi
from assistant_api.http.body import written
from assistant_api.http.dependencies import Dependencies
from assistant_api.http.idempotency import Ids
from assistant_api.problem import Problem, not_found
from assistant_api.telemetry import own_trace_id, own_traceparent
from assistant_api.vapi.pause import read_pause
from zerotouch_contracts.errors import CATALOGUE

ACCEPTED_MEANING: Final = "The save is accepted, and Vapi has not answered yet."
ACCEPTED: Final[dict[int | str, dict[str, Any]]] = {202: {"model": Saved, "description": ACCEPTED_MEANING}}

_log = structlog.get_logger()


def new_request(ids: Ids) -> SaveRequest:
    """The request as rows know it: an id, and the current trace."""
    return SaveRequest(ids.make("request"), own_traceparent(get_current_span()))


def log_arrival(org_id: UUID, agent_id: str | None, request: SaveRequest | None, **fields: object) -> None:
    """The line that operators look for when an assistant was saved."""
    _log.info(
        "Auto-syncing tools for assistant",
        agent_id=agent_id,
        org_id=str(org_id),
        request_id=None if request is None else str(request.request_id),
        trace_id=own_trace_id(get_current_span()),
        **fields,
    )


async def answer_save(
    parts: Dependencies, org_id: UUID, agent_id: str, revision: int, request: SaveRequest
) -> Response:
    """200 when ``revision`` is at Vapi, 202 when that is not known in time, a 422 problem when Vapi refuses it.

    404 when the agent was deleted meanwhile: its save is closed as `deleted`.
    """
    timeout_seconds = parts.settings.answer_wait_seconds
    about: dict[str, Any] = {"agent_id": agent_id, "org_id": org_id, "request_id": request.request_id}
    match await wait_for_vapi(
        parts.database, parts.provisioner, org_id, agent_id, revision, timeout_seconds=timeout_seconds
    ):
        case Provisioned(assistant_id):
            return _saved(200, **about, assistant_id=assistant_id, state="provisioned")
        case Provisioning():
            async with parts.database.connection() as connection:
                pause = await read_pause(connection, parts.accounts.platform.vapi.key.fingerprint, org_id)
            why = {} if pause is None else {"code": pause.code.value, "message": pause.sentence()}
            return _saved(202, **about, assistant_id=None, state="provisioning", **why)
        case Deleted():
            raise not_found()
        case NotTaken(reasons, code):
            extra = {
                "success": False,
                "agentId": agent_id,
                "orgId": str(org_id),
                "assistantId": None,
                "requestId": str(request.request_id),
                "state": "refused",
                "reasons": list(reasons),
            }
            texts = dict.fromkeys([CATALOGUE[code].meaning, "; ".join(reasons)])
            raise Problem(422, code, " ".join(texts)[:2000], extra=extra)


def _saved(status: int, **said: Any) -> Response:
    return written(Saved(success=True, trace_id=own_trace_id(get_current_span()), **said), status)
