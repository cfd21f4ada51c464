"""``/livez`` (is the process to be kept?) and ``/readyz`` (does it work right now, and if not, why?); no token."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from tool_sync.http.state import state_of
from zerotouch_platform.openapi import Answers

router = APIRouter(tags=["health"])


class HealthShown(BaseModel):
    """Whether it works, and by name what does not."""

    ok: bool
    problems: dict[str, str]
    notes: dict[str, Any] = {}


ANSWERS: Final[Answers] = {
    200: {"model": HealthShown},
    503: {"description": "What does not work, by name.", "model": HealthShown},
}


@router.get("/livez", summary="Say whether the process should be kept running", response_model=None, responses=ANSWERS)
async def get_livez(request: Request) -> JSONResponse:
    """200 while the loops work or can recover; 503 with the problems if the process must be restarted."""
    return _answer(await state_of(request).health.live_problems())


@router.get("/readyz", summary="Say whether the service works right now", response_model=None, responses=ANSWERS)
async def get_readyz(request: Request) -> JSONResponse:
    """200, or 503 with what it waits for: database, migrations, Kafka, topics.

    ``notes``, where there are any, say what holds up work that no restart and no other replica would do either: a Vapi
    key that is paused, since when, why and who acts.
    """
    health = state_of(request).health
    return _answer(await health.ready_problems(), await health.ready_notes())


def _answer(problems: dict[str, str], notes: Mapping[str, object] = MappingProxyType({})) -> JSONResponse:
    content = jsonable_encoder({"ok": not problems, "problems": problems, **({"notes": notes} if notes else {})})
    return JSONResponse(content, status_code=503 if problems else 200)
