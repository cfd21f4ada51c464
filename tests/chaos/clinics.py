"""The clinics of a run and their agents, as the load knows them: few large ones, many small ones."""

import time
import uuid
from dataclasses import dataclass, field
from random import Random
from typing import Final

ZIPF_EXPONENT: Final = 1.1


@dataclass(slots=True)
class Agent:
    """One agent. `edited`: somebody else has changed its assistant since it was last synced."""

    org_id: str
    id: str
    assistant_id: str | None = None
    touched: float = field(default_factory=time.monotonic)
    edited: bool = False


@dataclass(slots=True)
class Clinics:
    """All clinics in the order of their founding; the first are the busiest."""

    dice: Random
    orgs: list[str] = field(default_factory=list)
    agents: dict[str, list[Agent]] = field(default_factory=dict)
    _weights: list[float] = field(default_factory=list)

    def found(self, org_id: str) -> None:
        """A clinic that is known to exist."""
        self.orgs.append(org_id)
        self.agents[org_id] = []
        self._weights.append((self._weights[-1] if self._weights else 0) + len(self.orgs) ** -ZIPF_EXPONENT)

    def any_org(self) -> str:
        """A clinic, the busiest most often."""
        return self.dice.choices(self.orgs, cum_weights=self._weights)[0]

    def any_agent(self) -> Agent | None:
        """An agent of some clinic; it counts as touched."""
        for _ in range(5):
            if found := self.agents[self.any_org()]:
                agent = self.dice.choice(found)
                agent.touched = time.monotonic()
                return agent
        return None

    def idle_agent(self, idle_seconds: float) -> Agent | None:
        """An agent that is in Vapi and that nobody has touched for a while."""
        before = time.monotonic() - idle_seconds
        found = [agent for agents in self.agents.values() for agent in agents]
        idle = [agent for agent in found if agent.assistant_id is not None and agent.touched < before]
        return self.dice.choice(idle) if idle else None

    def two_idle_agents(self, idle_seconds: float) -> tuple[Agent, Agent] | None:
        """Two such agents of different clinics, which count as touched from now on."""
        one, other = self.idle_agent(idle_seconds), self.idle_agent(idle_seconds)
        if one is None or other is None or one.org_id == other.org_id:
            return None
        one.touched = other.touched = time.monotonic()
        return one, other

    def new_id(self) -> str:
        """An id that no other run of the same seed has."""
        return str(uuid.uuid4())

    def forget(self, agent: Agent) -> None:
        """An agent that is being deleted."""
        if agent in self.agents[agent.org_id]:
            self.agents[agent.org_id].remove(agent)
