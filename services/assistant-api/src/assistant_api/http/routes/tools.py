"""`/api/tools`: trying a tool out for a clinic, without a caller and without anything staying of it."""

from difflib import get_close_matches
from typing import Annotated, Any, Final
from uuid import UUID

import structlog
from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.responses import Response

from assistant_api.agents.schemas import Body, ResponseBody
from assistant_api.http.access import AccessOf, LoggedRoute
from assistant_api.http.body import parse, read_bytes, written
from assistant_api.http.dependencies import DependenciesOf
from assistant_api.problem import Problem, not_found
from assistant_api.tool_calls.arguments import check_contract, contracts_of
from assistant_api.tool_calls.handle import CROWDED
from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.tools import ANSWERED
from zerotouch_platform.openapi import documented

router = APIRouter(prefix="/api/tools", tags=["tools"], route_class=LoggedRoute)

_EXAMPLE: Final = {
    "organizationId": "0b7e3c1e-3a64-4b3e-9a55-5d4f0a6c9a10",
    "arguments": {"patientName": "Ada Example", "appointmentDate": "2027-01-11", "appointmentTime": "10:00"},
}
_log: Final = structlog.get_logger()


class DryRun(Body):
    """`POST /api/tools/{tool}/dry-run`: what the model would fill in; without ``contract`` the newest one's handler."""

    organization_id: UUID
    arguments: dict[str, Any]
    contract: int | None = Field(default=None, ge=1, strict=True)


class TriedOut(ResponseBody):
    """What a caller would have been told. ``success``: it would have been done, where a refusal is an answer, too.

    ``code`` is that of `ToolCallHandled`; ``contract`` is whose handler ran.
    """

    success: bool
    code: str
    answer: str
    contract: int


@router.post(
    "/{tool}/dry-run",
    response_model=TriedOut,
    openapi_extra=documented(DryRun, _EXAMPLE),
    summary="Run a tool's handler for a clinic without any effect",
)
async def dry_run(
    request: Request, parts: DependenciesOf, access: AccessOf, tool: Annotated[str, Path(max_length=64)]
) -> Response:
    """Run what answers the tool's calls, in a transaction that is rolled back; only the platform may.

    Nothing is booked, recorded, published or counted. 404 where no handler of this release has the tool and contract.
    """
    body = parse(await read_bytes(request, parts.settings.body_bytes_max), DryRun)
    contract = _contract(tool, body.contract)
    access.about(body.organization_id, tool)
    try:
        answer = await parts.tool_calls.try_out(check_contract(body.organization_id, tool, contract, body.arguments))
    except CROWDED:
        raise Problem(503, ErrorCode.NOT_READY, "others hold the clinic's calendar; try again in a moment") from None
    if answer is None:
        raise not_found()
    async with access.writing(parts.database, body.organization_id, tool):
        pass  # what the handler did is rolled back; that it was asked is not
    _log.info("tool_tried_out", org_id=str(body.organization_id), tool=tool, contract=contract, code=answer.code)
    tried = TriedOut(success=answer.is_done, code=answer.code, answer=answer.text, contract=contract)
    return written(tried)


def _contract(tool: str, wanted: int | None) -> int:
    known = contracts_of(tool)
    if not known:
        near = get_close_matches(tool, sorted({definition.name for definition in ANSWERED}), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise Problem(404, ErrorCode.NOT_FOUND, f"no tool of this name is answered here{hint}")
    if wanted is not None and wanted not in known:
        answered = ", ".join(map(str, known))
        raise Problem(404, ErrorCode.NOT_FOUND, f"this contract is not answered here; of this tool are: {answered}")
    return known[-1] if wanted is None else wanted
