"""`/livez` and `/readyz`: no token, no data."""

from fastapi import APIRouter
from starlette.responses import JSONResponse

from assistant_api.context import PartsOf

router = APIRouter(tags=["health"])


@router.get("/livez", summary="The process runs")
async def livez() -> dict[str, str]:
    """Say that the event loop turns."""
    return {"status": "alive"}


@router.get("/readyz", summary="The service can do its work, or why not", responses={503: {"description": "Not ready"}})
async def readyz(parts: PartsOf) -> JSONResponse:
    """Say what does not work, part by part."""
    reasons = dict(parts.health.reasons())
    if "database" not in reasons and (broken := await parts.database.check()) is not None:
        reasons["database"] = broken
    if reasons:
        return JSONResponse({"status": "not ready", "code": "TS-910", "reasons": reasons}, 503)
    return JSONResponse({"status": "ready"})
