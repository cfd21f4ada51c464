"""``tool-sync ship`` and ``blueprint publish | withdraw | halt | resume`` as people use them."""

import asyncio
from pathlib import Path

import pytest

from ..command import command
from .limits import BOOKING, HOOKS
from .world import World

WHY = ("--reason", "a test")
TOOL = f"""
name = "{BOOKING}"
contract = 2
description = "Books an appointment at this clinic, once the caller has agreed to a day and a time."
"""
Answer = tuple[int | None, str, str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A tool's file without problems."""
    path = tmp_path / "tool.toml"
    path.write_text(TOOL)
    return path


async def cli(world: World, *arguments: str) -> Answer:
    return await command(*arguments, database_url=world.url, TOOL_SERVER_URL=HOOKS)


async def beside(world: World, *arguments: str) -> Answer:
    """A command while the feeder and the reconciler work."""
    running = asyncio.create_task(cli(world, *arguments))
    while not running.done():
        await world.turn()
        await asyncio.wait([running], timeout=0.05)
    return running.result()


async def test_shipping_checks_publishes_plans_starts_and_follows(world: World, file: Path) -> None:
    await world.clinics(3)
    status, stdout, stderr = await beside(world, "ship", str(file), *WHY, "--yes")
    assert (status, stderr) == (0, "")
    lines = stdout.splitlines()
    assert lines[:2] == ["tool.toml: can be published", f"version 3 of {BOOKING} is published"]
    assert lines[2].startswith(f"{BOOKING} -> 3    rollout ")
    assert lines[-1].endswith(" is completed")
    assert set((await world.versions()).values()) == {3}
    assert await world.calls() == ["PATCH /tool/{id}"] * 3


async def test_shipping_the_same_file_again_is_refused_and_says_how_to_order_it(world: World, file: Path) -> None:
    await world.clinics(1)
    assert (await cli(world, "blueprint", "publish", str(file), *WHY))[0] == 0
    status, _, stderr = await cli(world, "ship", str(file), *WHY, "--yes")
    said = f"version 3 of {BOOKING} says the same; nothing was written. To order it: tool-sync rollout plan {BOOKING}@3"
    assert (status, stderr) == (3, f"tool-sync: {said}\n")
    assert await world.positions("RolloutPlanned") == []


async def test_where_nobody_says_yes_the_plan_is_kept_and_nothing_starts(world: World, file: Path) -> None:
    await world.clinics(1)
    status, stdout, _ = await cli(world, "ship", str(file), *WHY)
    (rollout_id,) = (await world.fleet()).plans
    assert (status, stdout.splitlines()[-1]) == (
        0, f"to start it later: tool-sync rollout apply {rollout_id} --reason TEXT"
    )  # fmt: skip
    assert await world.state(rollout_id) == "planned"
    await world.rest()
    assert await world.calls() == []


async def test_a_file_with_problems_is_not_published_and_ends_with_1(world: World, tmp_path: Path) -> None:
    path = tmp_path / "tool.toml"
    path.write_text(TOOL.replace("contract = 2", "contract = 99"))
    for arguments in (("ship", str(path), *WHY, "--yes"), ("blueprint", "publish", str(path), *WHY)):
        status, stdout, stderr = await cli(world, *arguments)
        assert (status, stderr) == (1, ""), arguments
        assert "contract" in stdout
        assert stdout.splitlines()[-1].startswith("tool.toml: 1 problem(s)")
    assert set((await world.fleet()).versions[BOOKING]) == {2}


async def test_what_was_asked_wrongly_ends_with_2_before_anything_is_published(
    world: World, file: Path, tmp_path: Path
) -> None:
    for arguments, said in (
        (("ship", str(file), "--reason", "call 0151 23456789"), "leave phone numbers and e-mail addresses out"),
        (("ship", str(file), *WHY, "--stages", "quick"), "quick is neither default nor careful"),
        (("ship", str(tmp_path / "none.toml"), *WHY), "does not exist"),
        (("blueprint", "withdraw", BOOKING, *WHY), f"'{BOOKING}' names no version"),
        (("blueprint", "withdraw", f"{BOOKING}@none", *WHY), f"write a version: {BOOKING}@2"),
    ):
        status, stdout, stderr = await cli(world, *arguments)
        assert (status, stdout) == (2, ""), arguments
        assert said in " ".join(stderr.replace("│", " ").split())
    assert set((await world.fleet()).versions[BOOKING]) == {2}


async def test_a_version_is_published_and_withdrawn(world: World, file: Path) -> None:
    assert await cli(world, "blueprint", "publish", str(file), *WHY) == (
        0,
        f"tool.toml: can be published\nversion 3 of {BOOKING} is published; no clinic has it yet\n"
        f"to order it: tool-sync rollout plan {BOOKING}@3\n",
        "",
    )
    version = f"{BOOKING}@3"
    withdraw = ("blueprint", "withdraw", version, *WHY)
    assert await cli(world, *withdraw) == (0, f"version 3 of {BOOKING} is withdrawn\n", "")
    assert await cli(world, *withdraw) == (3, "", f"tool-sync: version 3 of {BOOKING} was withdrawn already\n")
    said = f"tool-sync: version 3 of {BOOKING} was withdrawn\n"
    assert await cli(world, "rollout", "plan", version) == (3, "", said)
    seeded = f"tool-sync: rollout seed-{BOOKING}, completed, gives version 2 of {BOOKING}: roll it back first\n"
    assert await cli(world, "blueprint", "withdraw", f"{BOOKING}@2", *WHY) == (3, "", seeded)


async def test_a_tool_is_halted_and_resumed(world: World) -> None:
    clinics = await world.clinics(2, assistants=2)
    halt, resume = ("blueprint", "halt", BOOKING, *WHY), ("blueprint", "resume", BOOKING, *WHY)
    assert await cli(world, *halt) == (
        0,
        f"{BOOKING} is halted: it is unlinked from 4 assistants of 2 clinics,\n"
        "    with 8 calls, ahead of all bulk work\n",
        "",
    )
    await world.rest()
    assert await world.linked(clinics[0]) == [set(), set()]
    assert await cli(world, *halt) == (3, "", f"tool-sync: {BOOKING} is halted already: a test\n")
    said = f"{BOOKING} is resumed: every clinic gets what is ordered\n"
    assert await cli(world, *resume) == (0, said, "")
    assert await cli(world, *resume) == (3, "", f"tool-sync: {BOOKING} is not halted\n")
    unknown = "tool-sync: nobody has published a tool nothing\n"
    assert await cli(world, "blueprint", "halt", "nothing", *WHY) == (3, "", unknown)
