"""The quick part of `make attack` against the running system: it holds, and says so in a table."""

import time

import pytest
from tests.attack.campaign import NAMES, attack
from tests.attack.target import Stack as Attacked
from tests.attack.verdict import COLUMNS, table

from devstack.stack import Stack

from .world import World

SECONDS_MAX = 60.0


def attacked(stack: Stack) -> Attacked:
    return Attacked(
        urls={"assistant-api": stack.assistant_api_url, "tool-sync": stack.tool_sync_url},
        signer=stack.signer,
        webhook_token=stack.surroundings.webhook_token,
        env=stack.env(),
    )


@pytest.mark.timeout(300)  # with the stack's start, which is most of it on a busy machine
async def test_a_quick_attack_holds(world: World) -> None:
    began = time.monotonic()

    rows, _ = await attack(attacked(world.stack), NAMES, quick=True)

    assert [line for row in rows for line in row.failures] == []
    assert {row.part for row in rows} == set(NAMES)
    assert sum(row.tried for row in rows if row.part == "inputs") >= 200
    assert all(len(line) <= COLUMNS for line in table(rows))
    assert time.monotonic() - began < SECONDS_MAX
