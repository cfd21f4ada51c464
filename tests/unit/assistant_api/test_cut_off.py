"""What a client is told whose request ends in a fault, or is cut off as the process stops."""

import asyncio

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from assistant_api import telemetry
from assistant_api.app.application import Traced


@pytest.mark.parametrize(
    ("error", "status", "code"), [(asyncio.CancelledError(), 503, "TS-910"), (ValueError("broken"), 500, "TS-999")]
)
async def test_it_is_a_problem_document(error: BaseException, status: int, code: str) -> None:
    async def fails(_: Scope, __: Receive, ___: Send) -> None:
        raise error

    app = Traced(fails, telemetry.set_up(None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        answer = await http.get("/api/agents")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["x-trace-id"] == answer.json()["traceId"]
