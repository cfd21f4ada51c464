"""`/livez` and `/readyz`: no token, no data."""

import asyncio
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse

from assistant_api.db import TRANSIENT_ERRORS, DatabaseUnavailable
from assistant_api.http.dependencies import Dependencies, DependenciesOf
from assistant_api.vapi.pause import read_pause
from zerotouch_platform.kafka.ledger import open_losses

NOTES_SECONDS_MAX: Final = 2

router = APIRouter(tags=["health"])


@router.get("/livez", summary="The process runs")
async def livez() -> dict[str, str]:
    """Say that the event loop turns."""
    return {"status": "alive"}


@router.get("/readyz", summary="The service can do its work, or why not", responses={503: {"description": "Not ready"}})
async def readyz(parts: DependenciesOf) -> JSONResponse:
    """Say what does not work, part by part.

    `notes` says what hinders the work though the service is ready: `vapiKey`, while Vapi refuses the key or wants to be
    paid. Saves are accepted meanwhile, and are written to Vapi when the key works again. `vapiClock`, while Vapi's
    clock and the database's differ by more than 5 seconds. `recordsLost`: outcomes that
    were gone from the topic before they were read.
    """
    reasons = dict(parts.health.reasons())
    if "database" not in reasons and (broken := await parts.database.check()) is not None:
        reasons["database"] = broken
    if reasons:
        notes = {} if "database" in reasons else await _notes(parts)
        return JSONResponse({"status": "not ready", "code": "TS-910", "reasons": reasons, **notes}, 503)
    return JSONResponse({"status": "ready", **await _notes(parts)})


async def _notes(parts: Dependencies) -> dict[str, Any]:
    notes: dict[str, Any] = {}
    if parts.clock_watch.problem is not None:
        notes["vapiClock"] = {"skewSeconds": parts.clock_watch.skew_seconds, "meaning": parts.clock_watch.problem}
    try:
        async with asyncio.timeout(NOTES_SECONDS_MAX), parts.database.connection() as connection:
            pause = await read_pause(connection, parts.vapi.key.fingerprint)
            lost = [str(loss) for loss in await open_losses(connection)]
        if lost:
            notes["recordsLost"] = lost
        if pause is not None and pause.needs_a_person:
            notes["vapiKey"] = pause.shown()
    except (DatabaseUnavailable, *TRANSIENT_ERRORS):  # it was there a moment ago; the next look says so
        return {}
    return {"notes": notes} if notes else {}
