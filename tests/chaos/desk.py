"""The sandbox's dials, turned by several hands at once: each holds its own rules, all are in force together."""

import asyncio
from typing import Any, Final

import httpx
from tests.chaos.world import SERVICE_KEY
from tests.support.eventually import until

FIRED_POLL_SECONDS: Final = 0.1
JOURNAL_PAGE: Final = 10_000


class Desk:
    """Puts rules in force and takes them back. `http` is a client of the sandbox."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._rules: dict[str, list[dict[str, Any]]] = {}
        self._turning = asyncio.Lock()

    async def put(self, name: str, routes: list[str], action: dict[str, Any], *, probability: float = 1.0) -> None:
        """Let what the services ask on these routes go wrong from now on; others are served as ever."""
        self._rules[name] = [
            {
                "name": name,
                "route": route,
                "match": {"key": SERVICE_KEY},
                "probability": probability,
                "action": action,
            }
            for route in routes
        ]
        await self._turn({"rules": self._all()})

    async def take(self, name: str) -> None:
        """End a rule."""
        self._rules.pop(name, None)
        await self._turn({"rules": self._all()})

    async def set_list_lag(self, milliseconds: int) -> None:
        """How long a new resource is missing in lists."""
        await self._turn({"list_lag_ms": milliseconds})

    async def heal(self) -> None:
        """Everything back to normal."""
        self._rules.clear()
        await self._turn({"rules": [], "list_lag_ms": 0})

    async def fired(self, name: str) -> int:
        """How often a rule has taken a request."""
        return int((await self._summary())["rules_fired"].get(name, 0))

    async def until_fired(self, name: str, within_seconds: float) -> bool:
        """Wait until a rule has taken a request; False where the time is up before."""

        async def has_fired() -> bool:
            return await self.fired(name) > 0

        return await until(has_fired, within_seconds, every_seconds=FIRED_POLL_SECONDS)

    async def journal(self, after: int = 0) -> list[dict[str, Any]]:
        """Every request after a sequence number."""
        entries: list[dict[str, Any]] = []
        place: int | None = after
        while place is not None:
            answer = await self._http.get("/__sandbox/journal", params={"after": place, "limit": JOURNAL_PAGE})
            page = answer.raise_for_status().json()
            entries += page["entries"]
            place = page["next_after"]
        return entries

    async def journal_end(self) -> int:
        """The sequence number of the newest request."""
        return int((await self._summary())["requests_total"])

    async def _summary(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self._http.get("/__sandbox/summary")).raise_for_status().json()
        return found

    async def _turn(self, dials: dict[str, Any]) -> None:
        async with self._turning:
            (await self._http.patch("/__sandbox/dials", json=dials)).raise_for_status()

    def _all(self) -> list[dict[str, Any]]:
        return [rule for rules in self._rules.values() for rule in rules]
