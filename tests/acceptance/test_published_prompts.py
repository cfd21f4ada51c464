"""A version is published while everything runs, and the prompts of the clinics that get it say what is so."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.eventually import eventually

from assistant_api.prompt.lines import PERHAPS_UNANSWERED, UNANSWERED
from devstack.one_fix import tool_sync

from .vapi import system_prompt
from .world import PATIENCE_SECONDS, TOOL, World

ONE_STAGE = '[[stage]]\nname = "all"\npercent = 100\n'


async def prompt(world: World, saved: dict[str, Any]) -> str:
    return system_prompt(await world.vapi.assistant(saved["assistantId"]))


async def named(world: World) -> dict[str, Any]:
    """An assistant whose prompt names its tool."""
    saved = await world.synced_agent(await world.organization())
    await world.quiet()  # assistant-api has heard of the tool
    await world.sync(saved["agentId"])
    await world.quiet()
    assert f"\n\n{TOOL}: " in await prompt(world, saved)
    return saved


@pytest.mark.timeout(180)
async def test_a_version_that_never_answers_is_in_every_prompt_soon_and_a_save_says_the_new_words(
    own_world: World, tmp_path: Path
) -> None:
    old = await named(own_world)
    file, stages = tmp_path / "tool.toml", tmp_path / "stages.toml"
    file.write_text(f'name = "{TOOL}"\ncontract = 2\nasync = true\ndescription = "Takes a wish."\n')
    stages.write_text(ONE_STAGE)
    await tool_sync(
        own_world.stack, "ship", str(file), "--stages", str(stages), "--reason", "the calendar is slow", "--yes"
    )

    async def is_marked() -> bool:
        return bool(
            await own_world.assistants_db.fetchval("SELECT count(*) FROM outcomes WHERE tools_lost_at IS NOT NULL")
        )

    await eventually(is_marked, within_seconds=PATIENCE_SECONDS)
    # The delay runs out at once; a test has no minute to wait.
    await own_world.assistants_db.execute("UPDATE outcomes SET tools_lost_at = tools_lost_at - interval '1 hour'")

    async def is_careful() -> bool:
        said = await prompt(own_world, old)
        return PERHAPS_UNANSWERED in said or UNANSWERED in said

    await eventually(is_careful, within_seconds=PATIENCE_SECONDS)
    await own_world.quiet()
    await own_world.sync(old["agentId"])
    await own_world.quiet()
    said = await prompt(own_world, old)
    assert f"{TOOL}: Takes a wish.\n{UNANSWERED}" in said
    await asyncio.gather(*(tool_sync(own_world.stack, "blueprint", what) for what in ("contracts", "list")))
