"""``tool-sync rollout orgs | retry``, and whose word a state was."""

from uuid import uuid4

from tool_sync.admin.operator import ACTOR
from tool_sync.domain.events import RetryRequested

from ..command import command, result
from .context import stages
from .limits import BOOKING
from .world import World

LOOKING = "Says that it is looking."
WHY = ("--reason", "a test")


async def rollout(world: World, *arguments: str) -> tuple[int | None, str, str]:
    return await command("rollout", *arguments, database_url=world.url)


async def test_clinics_are_listed_by_how_far_they_are_page_by_page(world: World) -> None:
    clinics = await world.clinics(5)
    version = await world.publish(LOOKING)
    await world.refuse(clinics[1])
    rollout_id = await world.start(version, stages(clinics[:3]))
    await world.rest()
    status, stdout, _ = await rollout(world, "orgs", rollout_id, "--state", "done", "--json")
    assert [one["org_id"] for one in result(stdout)["clinics"]] == [str(clinics[0]), str(clinics[2])]
    status, stdout, _ = await rollout(world, "orgs", rollout_id, "--state", "refused")
    lines = stdout.splitlines()
    assert lines[:3] == [f"organization {clinics[1]}", "  state: refused", "  newest try: TS-301"]
    assert (status, lines[-1]) == (0, "1 clinic(s)")
    assert any(line.startswith("  Vapi said: ") for line in lines)
    status, stdout, _ = await rollout(world, "orgs", rollout_id, "--state", "waiting", "--limit", "1")
    assert stdout.splitlines() == [
        f"organization {clinics[3]}", "  state: waiting", "  why: stage 2 of 2, all, is not open", "1 clinic(s)",
        f"there may be more: --after {clinics[3]} shows them",
    ]  # fmt: skip
    status, stdout, _ = await rollout(world, "orgs", rollout_id, "--state", "waiting", "--after", str(clinics[3]))
    assert stdout.splitlines()[0] == f"organization {clinics[4]}"


async def test_a_retry_makes_the_refused_due_and_says_whose_gate_waits_for_them(world: World) -> None:
    clinics = await world.clinics(3)
    version = await world.publish(LOOKING)
    await world.refuse(clinics[0], clinics[2])
    rollout_id = await world.start(version)
    await world.rest()
    stranger = uuid4()
    assert await rollout(world, "retry", rollout_id, "--org", str(stranger), *WHY) == (
        3, "", f"tool-sync: organization {stranger} has no failed try of rollout {rollout_id}\n",
    )  # fmt: skip
    await world.dials()
    said = f"rollout {rollout_id} waits: Vapi refuses it for 2 of 3 clinics\n"
    assert await rollout(world, "retry", rollout_id, *WHY) == (
        0,
        f"retrying 2 clinic(s) of rollout {rollout_id}\n{said}",
        "",
    )
    (asked,) = await world.events(clinics[0], RetryRequested)
    assert asked == RetryRequested(None, "a test")
    assert await world.events(clinics[1], RetryRequested) == []
    await world.sync()
    assert await world.versions() == dict.fromkeys(clinics, version)


async def test_a_try_that_failed_for_a_while_is_told_and_retried(world: World) -> None:
    (clinic,) = await world.clinics(1)
    version = await world.publish(LOOKING)
    await world.dials(rules=[{"route": "PATCH /tool/{id}", "action": {"kind": "status", "status": 503}}])
    rollout_id = await world.start(version)
    await world.turn()
    _, stdout, _ = await rollout(world, "orgs", rollout_id, "--state", "waiting", "--json")
    (one,) = result(stdout)["clinics"]
    assert (one["org_id"], one["code"]) == (str(clinic), "TS-104")  # nobody knows yet whether Vapi took it
    await world.dials()
    said = f"retrying 1 clinic(s) of rollout {rollout_id}\n"
    assert (await rollout(world, "retry", rollout_id, "--org", str(clinic), *WHY))[:2] == (0, said)
    await world.until(rollout_id, "completed")
    assert await world.versions() == {clinic: version}


async def test_a_rollout_that_somebody_promoted_past_its_last_gate_says_so(world: World) -> None:
    await world.clinics(1)
    rollout_id = await world.start(await world.publish(LOOKING))
    assert (await rollout(world, "promote", rollout_id, *WHY))[0] == 0
    word = f'completed, promoted by {ACTOR}: "a test"'
    for verb in ("status", "list"):
        assert f"  state: {word}" in (await rollout(world, verb, *((rollout_id,) if verb == "status" else ())))[1]
    status, stdout, _ = await rollout(world, "watch", rollout_id)
    assert (status, stdout.splitlines()[-1]) == (0, f"rollout {rollout_id} is {word}")
    assert f"rollout {rollout_id} of {BOOKING}" not in stdout
