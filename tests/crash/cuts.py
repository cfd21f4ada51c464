"""Answers of Vapi cut at each byte: the call took place, and its caller hears so many bytes of the answer.

Every offset has an org of its own, all are under way at once; at the end each must have one tool and one assistant.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tests.checker.verdict import Verdict
from tests.crash import flows
from tests.crash.campaign import judged
from tests.crash.cell import PROBE_KEY, Agent, Cell, cell
from tests.crash.ground import Ground
from tests.crash.rest import all_heard, at_rest
from tests.crash.wire import answer_bytes
from tests.faults.times import SHORT

ROUTES: Final = ("POST /tool", "POST /assistant", "PATCH /assistant/{id}")
AT_ONCE: Final = 40
REST_SECONDS: Final = 120.0
CREATION_BODIES: Final = "/__sandbox/journal?limit=1000"


@dataclass(slots=True)
class Cuts:
    """What became of the cut answers."""

    answers: dict[str, int] = field(default_factory=dict)
    fired: dict[str, int] = field(default_factory=dict)
    saves: int = 0
    seconds: float = 0.0
    verdict: Verdict | None = None
    violations: list[str] = field(default_factory=list)

    @property
    def offsets(self) -> int:
        """The answers that were cut."""
        return sum(self.fired.values())


async def cuts(ground: Ground, offsets_max: int) -> Cuts:
    """Cut answers at every byte, or at ``offsets_max`` of them: each of the head, and evenly through the body."""
    done, began = Cuts(), time.monotonic()
    async with cell(ground, "cuts", SHORT) as made:
        lengths = await _lengths(made)
        done.answers = {route: whole for route, (_, whole) in lengths.items()}
        share = offsets_max // len(ROUTES)
        chosen = [(route, at) for route, (head, whole) in lengths.items() for at in offsets(head, whole, share)]
        agents = flows.new_agents(len(chosen))
        rules = [_rule(route, at, agent) for (route, at), agent in zip(chosen, agents, strict=True)]
        await made.dial(rules=rules)
        for route in ROUTES:
            made.ledger.fault("cut answer", "vapi", rule=_name(route), detail=f"{share} offsets")
        await _all(made, agents)
        seen, _ = await at_rest(made, [agent.org_id for agent in agents], REST_SECONDS)
        done.saves = seen.saved.total()
        if seen.under_way:
            done.violations.append(f"cuts: not at rest within {REST_SECONDS:g} s: {seen.under_way}")
        done.violations += [f"cuts: a save failed with {code}" for code in seen.failed]
        fired = (await made.vapi.get("/__sandbox/summary")).raise_for_status().json()["rules_fired"]
        done.fired = {route: fired.get(_name(route), 0) for route in ROUTES}
        for route, count in done.fired.items():
            if count != (wanted := sum(cut_route == route for cut_route, _ in chosen)):
                done.violations.append(f"cuts: {count} answers of {route} were cut, not {wanted}")
        if under_way := await all_heard(made, REST_SECONDS):
            done.violations.append(f"cuts: not at rest at the end: {under_way}")
        done.verdict = await judged(made)
        done.violations += [f"cuts: {v.rule}: {v.story} {v.example}" for v in done.verdict.violations]
    done.seconds = time.monotonic() - began
    return done


def offsets(head: int, whole: int, count: int) -> Iterator[int]:
    """At most ``count`` lengths to cut an answer at, 0 and ``whole`` among them: first the head's, then the body's."""
    if count > whole:
        yield from range(whole + 1)
        return
    yield from range(min(head, count))
    left = count - head
    for number in range(left):
        yield head + number * (whole - head) // max(left - 1, 1)


async def _lengths(made: Cell) -> dict[str, tuple[int, int]]:
    """How long the answers are, found by sending what the services send once more in another account."""
    agents = flows.new_agents(1)
    await flows.create(made, agents)
    seen, _ = await at_rest(made, [agents[0].org_id], 30)
    assert not seen.under_way, seen.under_way
    journal = (await made.vapi.get(CREATION_BODIES)).raise_for_status().json()["entries"]
    bodies = {entry["route"]: _elsewhere(made, entry["body"]) for entry in journal if entry["route"] in ROUTES}
    url, found = made.surroundings.vapi_base_url, {}
    assistant_id = ""
    for route in ROUTES:
        method, _, path = route.partition(" ")
        where = path.replace("{id}", assistant_id)
        head, whole, document = await answer_bytes(url, PROBE_KEY, method, where, bodies[route])
        found[route] = head, whole
        assistant_id = document["id"]
    return found


def _elsewhere(made: Cell, body: dict[str, Any]) -> dict[str, Any]:
    """The same body, byte for byte as long, of an installation that nobody judges."""
    text = json.dumps(body).replace(made.surroundings.installation_id, str(uuid.uuid4()))
    document: dict[str, Any] = json.loads(text)
    return document


def _rule(route: str, at: int, agent: Agent) -> dict[str, Any]:
    """The org's id is in what is sent for a tool and in the metadata of an assistant; a PATCH has the prompt only."""
    says = agent.agent_id if route.startswith("PATCH") else agent.org_id
    action = {"kind": "reset", "commit": True, "after_bytes": at, "close": "rst" if at % 2 else "fin"}
    return {"name": _name(route), "route": route, "times": 1, "match": {"body_contains": says}, "action": action}


def _name(route: str) -> str:
    return f"cut {route}"


async def _all(made: Cell, agents: list[Agent]) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(agent: Agent) -> None:
        async with room:
            await flows.create_one(made, agent, prompt=f"You are {agent.agent_id}. canary-{uuid.uuid4()}")

    await asyncio.gather(*map(one, agents))
