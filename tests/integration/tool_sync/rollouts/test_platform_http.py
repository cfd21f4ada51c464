"""``/v1/tools`` and ``/v1/rollouts`` as the platform uses them: from a file to every clinic and back."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain.events import OrgClosed, ToolSettingChanged
from tool_sync.log import AppendRejected, LogUnavailable

from .desk import PER_MINUTE, WHY, PlatformDesk, file_of, platform_desk
from .limits import BOOKING, CANCELLING, INSTALLATION
from .world import World

LOOKING = "Says that it is looking."
OLD = 2


@pytest.fixture
async def desk(world: World, signer: Signer) -> AsyncIterator[PlatformDesk]:
    await db.claim_installation(world.connection, INSTALLATION)
    async with platform_desk(world.pool, world.log, signer) as desk:
        yield desk


async def test_a_file_becomes_a_version_a_plan_a_rollout_and_is_taken_back(world: World, desk: PlatformDesk) -> None:
    clinics = await world.clinics(3)
    assert await desk.post("tools/lint", **file_of(LOOKING)) == {"problems": [], "warnings": []}
    answer = await desk.ask("POST", "tools", json=file_of(LOOKING))
    published = answer.json()
    assert (answer.status_code, published["name"], published["version"]) == (201, BOOKING, 3)
    assert answer.headers["location"] == f"/v1/tools/{BOOKING}/versions/3"
    shown = await desk.get(f"tools/{BOOKING}/versions/3")
    assert (shown["definition_hash"], shown["withdrawn"], shown["answered"]) == (
        published["definition_hash"], False, True,
    )  # fmt: skip
    assert shown["document"]["function"]["description"] == LOOKING
    again = await desk.post("tools", 409, **file_of(LOOKING))
    assert again["detail"].startswith(f"version 3 of {BOOKING} says the same")

    answer = await desk.ask(
        "POST", "rollouts", json={"tool": BOOKING, "version": 3, "own_orgs": [str(clinics[1]).upper()]}
    )
    plan = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/rollouts/{plan['rollout_id']}")
    assert (plan["counts"]["update"], plan["counts"]["calls"], plan["clinics"]["update"]) == (3, 3, 3)
    assert plan["floor_seconds"] == 3 / PER_MINUTE * 60
    assert plan["stages"][0]["orgs"] == [str(clinics[1])]
    path = f"rollouts/{plan['rollout_id']}"
    kept = await desk.get(path)
    assert (kept["state"], kept["digest"]) == ("planned", plan["digest"])
    assert await world.calls() == []

    started = await desk.post(f"{path}/apply", plan_hash=plan["digest"], **WHY)
    assert (started["state"], started["stage"], started["stages"], started["reason"]) == ("running", 0, 3, "a test's")
    await world.until(plan["rollout_id"], "completed")
    assert await world.versions() == dict.fromkeys(clinics, 3)
    status = await desk.get(path)
    assert (status["state"], status["clinics"], status["last_word"]["cause"]) == ("completed", 3, "gate")
    assert [one["org_id"] for one in (await desk.get(f"{path}/orgs?state=done"))["clinics"]] == list(map(str, clinics))

    taken_back = await desk.post(f"{path}/rollback", reason="it was wrong")
    assert taken_back["last_word"] == {"cause": "command", "by": "platform:devstack", "reason": "it was wrong"}
    await world.rest()
    assert await world.versions() == dict.fromkeys(clinics, OLD)
    listed = await desk.get("rollouts")
    assert [one["rollout_id"] for one in listed["rollouts"]] == [plan["rollout_id"], f"seed-{BOOKING}"]
    assert listed["plans"] == []


async def test_a_file_is_not_read_as_toml_which_a_stranger_could_make_last_for_minutes(desk: PlatformDesk) -> None:
    toml = b"x" + b".x" * 40_000 + b" = 1"
    answer = await desk.ask("POST", "tools/lint", content=toml, headers={"content-type": "application/toml"})
    (problem,) = answer.json()["problems"]
    assert (problem["where"], problem["what"].startswith("cannot be read")) == ("the body", True)


async def test_what_cannot_be_published_is_refused_with_every_problem(world: World, desk: PlatformDesk) -> None:
    wrong = file_of("", timeout_seconds=0, tier="gold", nmae="x")
    problem = await desk.post("tools", 422, **wrong)
    linted = await desk.post("tools/lint", **wrong)
    assert problem["problems"] == linted["problems"]
    assert {one["where"] for one in problem["problems"]} == {"nmae", "description", "timeout_seconds", "tier"}
    assert await world.positions("BlueprintPublished") == await world.positions("BlueprintPublished")
    assert len((await desk.get(f"tools/{BOOKING}"))["versions"]) == 1


async def test_tools_are_listed_compared_halted_resumed_and_withdrawn(world: World, desk: PlatformDesk) -> None:
    await world.clinics(2, assistants=2)
    await world.publish(LOOKING)
    tools = {one["name"]: one for one in (await desk.get("tools"))["tools"]}
    assert (tools[BOOKING]["ordered"], tools[CANCELLING]["ordered"]) == (OLD, None)
    assert [one["version"] for one in tools[BOOKING]["versions"]] == [2, 3]
    diff = await desk.get(f"tools/{BOOKING}/diff?old=2&new=3")
    assert any(LOOKING.split()[0] in line for line in diff["words"])
    assert diff["diff"][:2] == [f"--- {BOOKING}@2", f"+++ {BOOKING}@3"]

    halted = await desk.post(f"tools/{BOOKING}/halt", **WHY)
    assert halted == {"name": BOOKING, "clinics": 2, "assistants": 4, "calls": 8}
    assert (await desk.get(f"tools/{BOOKING}"))["halted"] == "a test's"
    again = await desk.post(f"tools/{BOOKING}/halt", 409, **WHY)
    assert again["detail"] == f"{BOOKING} is halted already: a test's"
    assert (await desk.post(f"tools/{BOOKING}/resume", **WHY))["halted"] is None
    assert (await desk.post(f"tools/{BOOKING}/resume", 409, **WHY))["detail"] == f"{BOOKING} is not halted"

    withdrawn = await desk.post(f"tools/{BOOKING}/versions/3/withdraw", **WHY)
    assert (withdrawn["version"], withdrawn["withdrawn"]) == (3, True)
    again = await desk.post(f"tools/{BOOKING}/versions/3/withdraw", 409, **WHY)
    assert again["detail"] == f"version 3 of {BOOKING} was withdrawn already"
    standing = await desk.post(f"tools/{BOOKING}/versions/2/withdraw", 409, **WHY)
    assert standing["detail"].endswith("roll it back first")


async def test_a_tool_is_enabled_and_disabled_by_rollouts_of_their_own(world: World, desk: PlatformDesk) -> None:
    clinics = await world.clinics(2)
    enabled = await desk.post(f"tools/{CANCELLING}/enable", 201, stages=[{"name": "all", "percent": 100}], **WHY)
    assert (enabled["tool"], enabled["version"], enabled["stages"]) == (CANCELLING, 2, 1)
    second = await desk.post(f"tools/{CANCELLING}/enable", 409, **WHY)
    assert second["detail"] == (
        f"rollout {enabled['rollout_id']} of {CANCELLING} is running: complete, abort or roll it back first"
    )
    await world.until(enabled["rollout_id"], "completed")
    assert set(await world.versions(CANCELLING)) == set(clinics)

    disabled = await desk.post(f"tools/{CANCELLING}/disable", 201, **WHY)
    assert disabled["version"] is None
    await world.until(disabled["rollout_id"], "completed")
    assert await world.versions(CANCELLING) == {}


async def test_a_plan_that_is_not_true_any_more_is_refused_with_the_new_one(world: World, desk: PlatformDesk) -> None:
    clinics = await world.clinics(4)
    version = await world.publish(LOOKING)
    plan = await desk.post("rollouts", 201, tool=BOOKING, version=version)
    path = f"rollouts/{plan['rollout_id']}/apply"
    other = await desk.post(path, 409, plan_hash="12345678", **WHY)
    assert other["detail"] == f"rollout {plan['rollout_id']} is planned as {plan['digest']}, not as 12345678"
    await world.say(clinics[0], OrgClosed())
    changed = await desk.post(path, 409, plan_hash=plan["digest"], **WHY)
    assert changed["detail"] == "25% of the plan's clinics have changed since: plan it anew"
    assert changed["plan"]["counts"]["update"] == 3
    assert await world.state(plan["rollout_id"]) == "planned"


async def test_the_clinics_of_a_rollout_say_what_they_wait_for(world: World, desk: PlatformDesk) -> None:
    clinics = await world.clinics(4)
    without = await world.clinic(assistants=0)
    await world.say(clinics[3], ToolSettingChanged(BOOKING, enabled=False))
    await world.sync()
    version = await world.publish(LOOKING)
    await world.refuse(clinics[1])
    first = {"name": "first", "orgs": [str(clinics[0]), str(clinics[1])]}
    plan = await desk.post(
        "rollouts", 201, tool=BOOKING, version=version, stages=[first, {"name": "all", "percent": 100}]
    )
    rollout_id = plan["rollout_id"]
    planned = await desk.ask("GET", f"rollouts/{rollout_id}/orgs")
    assert (planned.status_code, planned.json()["detail"]) == (409, f"rollout {rollout_id} is planned; apply starts it")
    await world.apply(rollout_id)
    await world.rest()

    page = await desk.get(f"rollouts/{rollout_id}/orgs")
    by_id: dict[UUID, dict[str, Any]] = {UUID(one["org_id"]): one for one in page["clinics"]}
    assert page["next_after"] is None
    assert {org_id: one["state"] for org_id, one in by_id.items()} == {
        clinics[0]: "done", clinics[1]: "refused", clinics[2]: "waiting", clinics[3]: "left", without: "left",
    }  # fmt: skip
    assert by_id[clinics[2]]["why"] == "stage 2 of 2, all, is not open"
    assert by_id[clinics[3]]["why"] == "a setting of the clinic's switches the tool off"
    assert by_id[without]["why"] == "it has no assistant"
    assert by_id[clinics[1]]["code"] == "TS-301"

    after, seen = "", []
    while after is not None:
        page = await desk.get(f"rollouts/{rollout_id}/orgs?limit=2" + (f"&after={after}" if after else ""))
        seen += [UUID(one["org_id"]) for one in page["clinics"]]
        after = page["next_after"]
    assert seen == sorted(by_id)


async def test_a_retry_over_http_is_the_clinics_next_try(world: World, desk: PlatformDesk) -> None:
    clinics = await world.clinics(2)
    version = await world.publish(LOOKING)
    await world.refuse(*clinics)
    rollout_id = await world.start(version)
    await world.rest()
    path = f"rollouts/{rollout_id}/retry"
    stranger = await desk.post(path, 409, org_id=str(uuid4()), **WHY)
    assert stranger["detail"].endswith(f"has no failed try of rollout {rollout_id}")
    await world.dials()
    assert await desk.post(path, org_id=str(clinics[0]), **WHY) == {"clinics": 1}
    await world.sync()
    assert (await world.versions())[clinics[0]] == version
    assert await desk.post(path, **WHY) == {"clinics": 1}
    await world.sync()
    assert await world.versions() == dict.fromkeys(clinics, version)
    assert await desk.post(path, **WHY) == {"clinics": 0}


@pytest.mark.parametrize(
    ("error", "status"),
    [(LogUnavailable("blueprint", 15.0, "nobody answers"), 503), (AppendRejected("blueprint", None, "too large"), 422)],
)
async def test_what_is_not_known_to_be_stored_is_said_as_that(
    world: World, desk: PlatformDesk, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def append(_request: object) -> None:
        raise error

    monkeypatch.setattr(world.log, "append", append)
    problem = await desk.post(f"tools/{BOOKING}/halt", status, **WHY)
    assert ("look at the tool" in problem["detail"]) == (status == 503)
