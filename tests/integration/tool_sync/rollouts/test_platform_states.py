"""Every command over HTTP in every state of a rollout: carried out, or a 409 with the command line's own sentence."""

from collections.abc import AsyncIterator
from itertools import product
from typing import Final
from uuid import uuid4

import pytest

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain.events import (
    FleetEvent,
    OrgRegistered,
    RolloutAborted,
    RolloutCompleted,
    RolloutExpired,
    RolloutPaused,
    RolloutRolledBack,
    RolloutStage,
    RolloutStarted,
)
from tool_sync.domain.fleet.rollout import LEGAL, RolloutCommand, RolloutState
from tool_sync.log import EventLog, fact, org_stream

from ..ordering import say, version
from .context import EVERYBODY
from .desk import WHY, PlatformDesk, platform_desk

COMMANDS: Final[dict[str, tuple[RolloutCommand, str]]] = {
    "apply": ("start", "applied"),
    "pause": ("pause", "paused"),
    "resume": ("resume", "resumed"),
    "promote": ("promote", "promoted"),
    "abort": ("abort", "aborted"),
    "rollback": ("rollback", "rolled back"),
}
STATES: Final[tuple[RolloutState, ...]] = (
    "planned", "running", "paused", "completed", "aborted", "expired", "rolled_back",
)  # fmt: skip
AFTER: Final[dict[str, RolloutState]] = {
    "apply": "running", "pause": "paused", "resume": "running", "promote": "running", "abort": "aborted",
    "rollback": "rolled_back",
}  # fmt: skip
FIRST: Final = RolloutStage("1 %", 100)


@pytest.fixture
async def desk(pool: db.Pool, log: EventLog, signer: Signer) -> AsyncIterator[PlatformDesk]:
    """Nobody feeds: a state stays as it is made."""
    org_id = uuid4()
    stream = org_stream(org_id)
    await log.append(
        fact(stream, org_id, OrgRegistered("basic"), source="/test", cause="1", actor="test", service_version="0")
    )
    async with platform_desk(pool, log, signer) as desk:
        yield desk


def history(rollout_id: str, tool: str, state: RolloutState) -> tuple[FleetEvent, ...]:
    """What leads from a start to the state."""
    about = (rollout_id, tool)
    last: dict[RolloutState, FleetEvent] = {
        "paused": RolloutPaused(*about, "look"),
        "completed": RolloutCompleted(*about, "gate"),
        "aborted": RolloutAborted(*about, "bad"),
        "expired": RolloutExpired(*about),
        "rolled_back": RolloutRolledBack(*about, "bad"),
    }
    started = RolloutStarted(rollout_id, tool, 1, (FIRST, EVERYBODY), "tried", None)
    return (started, last[state]) if state in last else (started,)


async def test_every_command_in_every_state(desk: PlatformDesk, log: EventLog) -> None:
    seen = set()
    for number, (command, state) in enumerate(product(COMMANDS, STATES)):
        what, past = COMMANDS[command]
        tool, rollout_id = f"tool{number}", f"r{number}"
        await say(log, version(tool))
        if state == "planned":
            plan = await desk.post("rollouts", 201, tool=tool, version=1)
            rollout_id, digest = plan["rollout_id"], plan["digest"]
        else:
            digest = "12345678"
            await say(log, *history(rollout_id, tool, state))
        more = {"plan_hash": digest} if command == "apply" else {}
        answer = await desk.ask("POST", f"rollouts/{rollout_id}/{command}", json=WHY | more)
        if state in LEGAL[what]:
            assert answer.status_code == 200, (command, state, answer.text)
            assert answer.json()["state"] == AFTER[command], (command, state)
            seen.add((what, state))
        else:
            said = f"rollout {rollout_id} is {state.replace('_', ' ')}, so it cannot be {past}"
            assert (answer.status_code, answer.json()["detail"]) == (409, said), (command, state)
            shown = await desk.get(f"rollouts/{rollout_id}")
            assert shown["state"] == state
    assert seen == {(what, state) for what, _ in COMMANDS.values() for state in LEGAL[what]}


@pytest.mark.parametrize("state", STATES)
async def test_a_retry_in_every_state(desk: PlatformDesk, log: EventLog, state: RolloutState) -> None:
    await say(log, version("tool"))
    if state == "planned":
        rollout_id = (await desk.post("rollouts", 201, tool="tool", version=1))["rollout_id"]
    else:
        rollout_id = "r"
        await say(log, *history("r", "tool", state))
    answer = await desk.ask("POST", f"rollouts/{rollout_id}/retry", json=WHY)
    if state in ("running", "completed"):
        assert (answer.status_code, answer.json()) == (200, {"clinics": 0})
    else:
        name = state.replace("_", " ")
        refused = f"rollout {rollout_id} is {name}, so it cannot be retried"
        said = f"rollout {rollout_id} is planned; apply starts it" if state == "planned" else refused
        assert (answer.status_code, answer.json()["detail"]) == (409, said)


async def test_a_command_that_is_sent_twice_is_told_the_state_that_it_made(desk: PlatformDesk, log: EventLog) -> None:
    await say(log, version("tool"), *history("r", "tool", "running"))
    await desk.post("rollouts/r/pause", **WHY)
    again = await desk.post("rollouts/r/pause", 409, **WHY)
    assert again["detail"] == "rollout r is paused, so it cannot be paused"
