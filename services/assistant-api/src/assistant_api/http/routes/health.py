"""`/livez` and `/readyz`: no token, no data."""

from typing import Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse

from assistant_api.http.dependencies import DependenciesOf
from zerotouch_platform.openapi import Answers

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Whether it works, and by name what does not."""

    status: Literal["alive", "stuck", "ready", "not ready"]
    code: str | None = None
    reasons: dict[str, str] = {}
    notes: dict[str, Any] = {}


ANSWERS: Final[Answers] = {
    200: {"model": Health},
    503: {"description": "What does not work, by name.", "model": Health},
}


@router.get("/livez", summary="Say whether the process is alive", responses=ANSWERS)
async def livez(parts: DependenciesOf) -> JSONResponse:
    """200 while the loops work or can recover; 503 with the reasons if the process must be restarted."""
    reasons = await parts.health.live_problems()
    return JSONResponse(
        {"status": "stuck", "reasons": reasons} if reasons else {"status": "alive"}, 503 if reasons else 200
    )


@router.get("/readyz", summary="Say if the service works, or why not", responses=ANSWERS)
async def readyz(parts: DependenciesOf) -> JSONResponse:
    """Names what does not work, part by part.

    `notes` says what hinders the work although the service is ready. `vapiKey`: Vapi refuses the key or its payment;
    saves are accepted, and are written to Vapi when the key works again. `vapiClock`: Vapi's clock and the database's
    differ by more than 5 seconds. `recordsLost`: outcomes that Kafka lost before they were read. `revokedTokens`: which
    tokens were taken back cannot be read anew; those that are known stay out.
    """
    problems = await parts.health.ready_problems()
    found = {} if "database" in problems else await parts.health.ready_notes()
    notes = {"notes": found} if found else {}
    if problems:
        return JSONResponse({"status": "not ready", "code": "TS-910", "reasons": problems, **notes}, 503)
    return JSONResponse({"status": "ready", **notes})
