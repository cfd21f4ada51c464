"""A running system whose spans go to a real Jaeger 2 (`make test-jaeger` sees to the binary)."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from devstack import jaeger, jaeger_build

from ..collector import collecting
from ..opening import opened
from ..waiting import eventually
from ..world import World

SPANS_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Jaeger:
    """What people ask Jaeger for."""

    http: httpx.AsyncClient

    async def trace(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of a trace as Jaeger shows them, each with the name of its service."""
        answer = await self.http.get(f"/api/traces/{trace_id}")
        return _spans(answer.json().get("data") or []) if answer.status_code == httpx.codes.OK else []

    async def trace_with(self, trace_id: str, *names: str) -> list[dict[str, Any]]:
        """The same, once it has spans of all these names: exporters send every second."""

        async def complete() -> bool:
            found = {span["operationName"] for span in await self.trace(trace_id)}
            return found.issuperset(names)

        await eventually(complete, within_seconds=SPANS_SECONDS_MAX)
        return await self.trace(trace_id)

    async def find(self, tags: str) -> set[str]:
        """The trace ids that the search form finds for tool-sync with these tags (a JSON object)."""
        answer = await self.http.get("/api/traces", params={"service": "tool-sync", "tags": tags, "lookback": "1h"})
        answer.raise_for_status()
        return {trace["traceID"] for trace in answer.json()["data"]}


def _spans(traces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**span, "service": trace["processes"][span["processID"]]["serviceName"]}
        for trace in traces
        for span in trace["spans"]
    ]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def seen(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[World, Jaeger]]:
    """The system, and the Jaeger that it sends its spans to."""
    folder = tmp_path_factory.mktemp("jaeger")
    async with AsyncExitStack() as exits:
        running = await jaeger.start(jaeger_build.ensure(), log=folder / "jaeger.log")
        exits.push_async_callback(running.child.stop)
        http = await exits.enter_async_context(httpx.AsyncClient(base_url=running.ui_url, timeout=20))
        collector = exits.enter_context(collecting())
        yield await opened(exits, folder, collector, running.otlp_endpoint), Jaeger(http)
