"""``tool-sync rollout …`` as people use it: what it prints, and its exit status."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tool_sync.domain.events import OrgClosed
from zerotouch_platform.operators import operator

from ..command import command, result
from .limits import BOOKING
from .world import World

LOOKING = "Says that it is looking."
WHY = ("--reason", "a test")
TAKEN_BACK = f'rolled back, by {operator()}: "a test"'
Answer = tuple[int | None, str, str]


async def rollout(world: World, *arguments: str) -> Answer:
    """Exit status, stdout and stderr of a command of the group."""
    return await command("rollout", *arguments, database_url=world.url)


async def json_of(world: World, *arguments: str) -> Any:
    status, stdout, stderr = await rollout(world, *arguments, "--json")
    assert (status, stderr) == (0, "")
    return result(stdout)


async def beside(world: World, *arguments: str) -> Answer:
    """A command while the feeder and the reconciler work."""
    running = asyncio.create_task(rollout(world, *arguments))
    while not running.done():
        await world.turn()
        await asyncio.wait([running], timeout=0.05)
    return running.result()


async def test_a_rollout_is_planned_applied_looked_at_and_stopped(world: World) -> None:
    clinics = await world.clinics(4)
    version = await world.publish(LOOKING)
    status, stdout, stderr = await rollout(
        world, "plan", f"{BOOKING}@{version}", "--own-org", str(clinics[0]), "--rate", "1200"
    )
    assert (status, stderr) == (0, "")
    lines = stdout.splitlines()
    rollout_id, digest = lines[0].split()[-1], lines[-2].split()[1].rstrip(",")
    assert lines[0] == f"{BOOKING} -> {version}    rollout {rollout_id}"
    assert lines[-1] == f"to start it: tool-sync rollout apply {rollout_id} --plan {digest} --reason TEXT"
    assert max(map(len, lines[:-1])) <= 80
    assert await world.calls() == []

    assert await rollout(world, "status", rollout_id) == (
        2, "", f"tool-sync: rollout {rollout_id} is planned; apply starts it\n"
    )  # fmt: skip
    started = f"rollout {rollout_id} has started; tool-sync does the rest\n"
    assert await rollout(world, "apply", rollout_id[:6], "--plan", digest, *WHY) == (0, started, "")
    for verb, said in (
        ("pause", "is paused: no further clinic gets it"),
        ("resume", "goes on"),
        ("promote", "is promoted"),
        ("abort", "is aborted: who has the version keeps it"),
        ("rollback", "is rolled back: every clinic gets what it would have without it"),
    ):
        assert await rollout(world, verb, rollout_id, *WHY) == (0, f"rollout {rollout_id} {said}\n", ""), verb
    status, stdout, _ = await rollout(world, "status", rollout_id)
    lines = [line.strip() for line in stdout.splitlines()[:4]]
    assert lines == [
        f"{rollout_id}: {BOOKING} -> {version}", f"state: {TAKEN_BACK}", "stage: 1 of 3, own", "clinics: 0"
    ]  # fmt: skip


async def test_what_the_state_of_a_rollout_does_not_allow_is_refused_with_3(world: World) -> None:
    await world.clinics(2)
    version = await world.publish(LOOKING)
    first = await world.start(version)
    second = (await world.plan(version)).order.rollout_id
    for arguments, said in (
        (("resume", first), f"rollout {first} is running, so it cannot be resumed"),
        (("apply", first), f"rollout {first} is running, so it cannot be applied"),
        (("pause", second), f"rollout {second} is planned, so it cannot be paused"),
        (("apply", second), f"rollout {first} of {BOOKING} is running: complete, abort or roll it back first"),
    ):
        assert await rollout(world, *arguments, *WHY) == (3, "", f"tool-sync: {said}\n")
    assert await world.positions("RolloutPaused", "RolloutResumed") == []


async def test_another_plan_than_the_one_that_was_shown_is_refused_with_3_and_shown(world: World) -> None:
    clinics = await world.clinics(4)
    planned = await world.plan(await world.publish(LOOKING))
    rollout_id = planned.order.rollout_id
    said = f"tool-sync: rollout {rollout_id} is planned as {planned.digest}, not as 12345678\n"
    assert await rollout(world, "apply", rollout_id, "--plan", "12345678", *WHY) == (3, "", said)

    await world.say(clinics[0], OrgClosed())
    status, stdout, stderr = await rollout(world, "apply", rollout_id, "--plan", planned.digest, *WHY)
    assert status == 3
    assert "update in place (PATCH /tool)                          3           3" in stdout
    assert stderr.startswith("tool-sync: 25% of the plan's clinics have changed since;")


async def test_scripts_get_plans_lists_and_states_as_json(world: World) -> None:
    await world.clinics(2)
    version = await world.publish(LOOKING)
    plan = await json_of(world, "plan", f"{BOOKING}@{version}", "--stages", "careful")
    rollout_id = plan["rollout_id"]
    assert (plan["tool"], plan["version"], plan["counts"]["update"], plan["counts"]["calls"]) == (
        BOOKING,
        version,
        2,
        2,
    )
    assert [stage["bake_seconds"] for stage in plan["stages"]] == [1800, 1800, 0]
    assert len(plan["stage_clinics"]) == 3

    await world.apply(rollout_id)
    other = await json_of(world, "plan", f"{BOOKING}@none")
    assert (other["version"], other["counts"]["remove"]) == (None, 2)
    found = await json_of(world, "list")
    assert [one["rollout_id"] for one in found["rollouts"]] == [rollout_id, f"seed-{BOOKING}"]
    assert [one["rollout_id"] for one in found["plans"]] == [other["rollout_id"]]
    one = await json_of(world, "status", rollout_id)
    assert (one["state"], one["stage"], one["stages"], one["reason"]) == ("running", 1, 3, "a test's")
    status, stdout, _ = await rollout(world, "list")
    assert (status, stdout.splitlines()[-1]) == (0, "2 rollout(s), 1 plan(s)")


async def test_following_shows_stage_by_stage_and_ends_as_the_rollout_ends(world: World) -> None:
    await world.clinics(3)
    rollout_id = (await world.plan(await world.publish(LOOKING))).order.rollout_id
    status, stdout, stderr = await beside(world, "apply", rollout_id, *WHY, "--follow")
    assert (status, stderr) == (0, "")
    lines = stdout.splitlines()
    assert lines[-1] == f"rollout {rollout_id} is completed"
    assert lines[-2].endswith("  3 clinics")

    status, stdout, _ = await beside(world, "rollback", rollout_id, *WHY, "--follow")
    assert (status, stdout.splitlines()[-1]) == (0, f"rollout {rollout_id} is {TAKEN_BACK}")
    assert await world.settled()
    assert set((await world.versions()).values()) == {2}
    status, stdout, _ = await rollout(world, "watch", rollout_id)
    assert (status, stdout.splitlines()[-1]) == (1, f"rollout {rollout_id} is {TAKEN_BACK}")


async def test_what_is_not_there_or_written_wrongly_ends_with_2_and_one_line(world: World, tmp_path: Path) -> None:
    stages, empty = tmp_path / "stages.toml", tmp_path / "empty.toml"
    stages.write_text("[[stage]]\npercnt = 5\n")
    empty.write_text("")
    for arguments, said in (
        (("status", "zzz"), "there is no rollout zzz; `tool-sync rollout list` lists them"),
        (("pause", "zzz", *WHY), "there is no rollout zzz; `tool-sync rollout list` lists them"),
        (("apply", "zzz", *WHY), "there is no rollout zzz; `tool-sync rollout list` lists them"),
        (("plan", f"{BOOKING}@x"), f"'{BOOKING}@x' names no version; write {BOOKING}@2, or {BOOKING}@none"),
        (("plan", BOOKING), f"'{BOOKING}' names no version; write {BOOKING}@2, or {BOOKING}@none"),
        (("plan", "@2"), "'@2' names no version; write TOOL@2, or TOOL@none"),
        (("plan", f"{BOOKING}@{'9' * 5000}"), "names no version"),
        (("plan", f"{BOOKING}@2", "--stages", str(stages)), "percnt is no key; did you mean percent?"),
        (("plan", f"{BOOKING}@2", "--stages", str(empty)), "write one table [[stage]] for each stage"),
        (("plan", f"{BOOKING}@2", "--stages", "carefull"), "carefull is neither default nor careful, and no file"),
        (("pause", f"seed-{BOOKING}", "--reason", " "), "a reason is one line of 1 to 200 characters"),
        (("pause", f"seed-{BOOKING}", "--reason", "Ada, 0151 2345678"), "leave phone numbers and e-mail addresses out"),
    ):
        status, stdout, stderr = await rollout(world, *arguments)
        assert (status, stdout) == (2, ""), arguments
        assert stderr.startswith("tool-sync: "), stderr
        assert said in stderr
    assert await world.positions("RolloutPlanned", "RolloutPaused") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", f"{BOOKING}@9"), f"{BOOKING} has no version 9; there is 2"),
        (("plan", "nothing@1"), "nobody has published a tool nothing"),
        (("plan", f"{BOOKING}@2"), "no stage holds any clinic: nobody would get it"),
    ],
)
async def test_what_nobody_can_be_given_is_refused_with_3(world: World, arguments: tuple[str, ...], said: str) -> None:
    assert await rollout(world, *arguments) == (3, "", f"tool-sync: {said}\n")


async def test_a_database_that_is_away_is_said_in_one_line() -> None:
    nowhere = "postgresql://x:secret@127.0.0.1:1/tool_sync"
    status, stdout, stderr = await command("rollout", "list", database_url=nowhere)
    assert (status, stdout) == (2, "")
    assert stderr.startswith("tool-sync: the database does not answer: ")
    assert stderr.count("\n") == 1
    assert "secret" not in stderr
