"""A running system whose spans go to a real Jaeger 2 (`make test-jaeger` sees to the binary)."""

from dataclasses import dataclass
from typing import Any

import httpx
from tests.support.eventually import eventually

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
