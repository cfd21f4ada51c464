"""What a run of `recovery` looks at, and what it makes of it: measures with their limits."""

import signal
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.crash.cell import Agent, Cell
from tests.crash.rest import at_rest
from tests.support.eventually import eventually

PATIENCE_SECONDS: Final = 60.0
REST_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One promise about time."""

    what: str
    value: float
    limit: float
    unit: str = "s"

    @property
    def held(self) -> bool:
        """Whether it was kept."""
        return self.value <= self.limit


@dataclass(slots=True)
class Measured:
    """All measures, and what else was broken on the way."""

    measures: list[Measure] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    saves: int = 0

    def take(self, what: str, value: float, limit: float, unit: str = "s") -> None:
        """Note a figure; one above its limit is a violation."""
        made = Measure(what, value, limit, unit)
        self.measures.append(made)
        if not made.held:
            self.violations.append(f"{what}: {value:.2f} {unit}, promised {limit:g} {unit}")


async def stopped(made: Cell, name: str) -> None:
    """SIGTERM, and wait for the end."""
    made.processes[name].signal(signal.SIGTERM)
    await made.processes[name].ended.wait()


async def settled(made: Cell, agents: Iterable[Agent], since: float) -> float:
    """When every agent had an outcome that is younger than ``since`` (wall clock), on the monotonic clock."""
    orgs = [agent.org_id for agent in agents]

    async def all_settled() -> bool:
        found = await made.log_db.fetchval(
            "SELECT count(DISTINCT org_id) FROM events WHERE type = 'AssistantSynced' AND org_id = ANY($1::uuid[]) "
            "AND recorded_at > to_timestamp($2)", orgs, since,
        )  # fmt: skip
        return bool(found == len(orgs))

    await eventually(all_settled, within_seconds=PATIENCE_SECONDS)
    return time.monotonic()


async def outcomes(made: Cell) -> int:
    """How many outcomes there are."""
    return int(await made.log_db.fetchval("SELECT count(*) FROM events WHERE type = 'AssistantSynced'"))


async def published(made: Cell) -> int:
    """How many outcomes the relay has behind it."""
    return int(
        await made.log_db.fetchval(
            "SELECT count(*) FROM events WHERE type = 'AssistantSynced' AND position <= "
            "(SELECT coalesce(min(position), 0) FROM cursors WHERE name LIKE '%-relay')"
        )
    )


async def assistant_id(made: Cell, agent: Agent) -> str:
    """The agent's assistant."""
    found = await made.api_db.fetchval("SELECT vapi_assistant_id FROM agents WHERE id = $1", agent.agent_id)
    return str(found)


async def journal(made: Cell) -> list[dict[str, Any]]:
    """Every request that the sandbox has heard."""
    answer = (await made.vapi.get("/__sandbox/journal", params={"limit": 10_000})).raise_for_status()
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


async def rest(made: Cell, done: Measured, agents: Collection[Agent]) -> None:
    """Wait until nothing is under way for these agents."""
    seen, _ = await at_rest(made, {agent.org_id for agent in agents}, REST_SECONDS)
    if seen.under_way:
        done.violations.append(f"calm: not at rest within {REST_SECONDS:g} s: {seen.under_way}")
    done.violations += [f"calm: a save failed with {code}" for code in seen.failed]


def hang(route: str, times: int, match: dict[str, str]) -> dict[str, Any]:
    """A rule: the call takes place, and its answer does not come."""
    action = {"kind": "hang", "commit": True, "hold_ms": 60_000}
    return {"route": route, "times": times, "match": match, "action": action}
