"""From a tool's text to every clinic and back, by the pages alone; and what is refused on the way."""

import re
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest

from devstack.databases import DatabaseUrls
from devstack.tokens import Signer
from tool_sync import db
from tool_sync.console.publish import FORM_BYTES_MAX
from tool_sync.queries.held import KEPT_SECONDS_MIN, HeldCount

from ..rollouts.limits import BOOKING, CANCELLING, INSTALLATION
from ..rollouts.world import World
from ..rollouts.worlds import world_over
from .conftest import Browser, said

LOOKING = "Says that it is looking."
TOML = f'name = "{BOOKING}"\ncontract = 2\ndescription = "{LOOKING}"\n'
HOSTILE = '<script>alert(1)</script> " \u202e'


@pytest.fixture
async def world(tool_sync_db: DatabaseUrls) -> AsyncIterator[World]:
    """The console's own database, with the release's tools."""
    async with world_over(tool_sync_db) as made:
        await db.claim_installation(made.connection, INSTALLATION)
        yield made


async def _planned(operator: Browser, path: str, on: str, **fields: str) -> str:
    """Plan something; the rollout's id."""
    answer = await operator.send(path, on=on, **{"stages": "default", **fields})
    assert answer.status_code == 200, answer.text
    assert answer.url.path.startswith("/console/rollouts/")
    return answer.url.path.rpartition("/")[2]


async def _started(operator: Browser, rollout_id: str) -> str:
    """Start a plan; what its page says then."""
    digest = re.search(r'name="digest" value="([0-9a-f]+)"', (await operator.get(f"/rollouts/{rollout_id}")).text)
    assert digest is not None
    path = f"/rollouts/{rollout_id}"
    answer = await operator.send(f"{path}/apply", on=path, digest=digest[1], reason="say that we look")
    assert answer.status_code == 200, answer.text
    return said(answer.text)


async def test_a_text_becomes_a_version_a_plan_and_a_rollout_and_is_taken_back(world: World, operator: Browser) -> None:
    clinics = await world.clinics(3)
    checked = await operator.send("/publish", on="/publish", tool=TOML, act="check")
    assert "It can be published" in said(checked.text)
    published = await operator.send("/publish", on="/publish", tool=TOML, act="publish", reason="say that we look")
    assert published.url.path == f"/console/tools/{BOOKING}/versions/3"
    assert LOOKING in published.text
    again = await operator.send("/publish", on="/publish", tool=TOML, act="publish", reason="twice")
    assert (again.status_code, "says the same" in said(again.text), LOOKING in again.text) == (409, True, True)
    diff = await operator.text(f"/tools/{BOOKING}/diff?old=2&new=3")
    assert f"+++ {BOOKING}@3" in diff
    assert "[+Says" in diff

    on = f"/tools/{BOOKING}/versions/3"
    rollout_id = await _planned(operator, f"{on}/order", on)
    plan = await operator.text(f"/rollouts/{rollout_id}")
    assert "update in place (PATCH /tool) 3 3" in plan
    assert "3 calls of Vapi's; floor at 720/min 0 min 0 s" in plan
    assert re.search(r"stages 1 %: [0-3] -> all: 3", plan), plan  # in which part a clinic is says its random id
    assert await world.calls() == []

    running = await _started(operator, rollout_id)
    assert "Running." in running
    assert "0 of 3 clinics have version 3 by it" in running
    await world.until(rollout_id, "completed")
    assert await world.versions() == dict.fromkeys(clinics, 3)
    listed = await operator.text(f"/rollouts/{rollout_id}/orgs?state=done")
    assert all(str(one) in listed for one in clinics)

    path = f"/rollouts/{rollout_id}"
    back = await operator.send(f"{path}/rollback", on=path, reason="callers are confused")
    assert 'Rolled back, by platform:devstack: "callers are confused"' in said(back.text)
    await world.rest()
    assert await world.versions() == dict.fromkeys(clinics, 2)
    refused = await operator.send(f"{path}/rollback", on="/tools", reason="again")
    assert refused.status_code == 409
    assert f"Nothing was done: rollout {rollout_id} is rolled back, so it cannot be rolled back" in said(refused.text)


async def test_every_problem_of_a_text_is_said_at_once_and_the_text_stays(world: World, operator: Browser) -> None:
    wrong = 'name = "x"\ncontract = 0\nnmae = "' + HOSTILE.replace('"', '\\"') + '"\ntimeout_seconds = 0\ntier = "gold"'
    there = await world.positions("BlueprintPublished")
    for act in ("check", "publish"):
        answer = await operator.send("/publish", on="/publish", tool=wrong, act=act, reason="r")
        words = said(answer.text)
        assert answer.status_code == 422
        assert all(f" {one}: " in words for one in ("nmae", "description", "timeout_seconds", "tier")), words
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;alert" in answer.text  # in the text, which stays
    assert await world.positions("BlueprintPublished") == there


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "=",
        "[[",
        "{",
        '{"name": "x", "name": "y"}',
        '{"name": "\\ud800"}',
        "x" + ".x" * 60 + " = 1",
        "ä" * 30_000,
        'name = "' + "n" * 10_000 + '"',
        "\x00",
        "[" * 5_000,
    ],
    ids=range(12),
)
async def test_a_text_that_is_no_tool_is_told_as_such(world: World, operator: Browser, text: str) -> None:
    answer = await operator.send("/publish", on="/publish", tool=text, act="publish", reason="r")
    assert 400 <= answer.status_code < 500
    assert "Publish a version of a tool" in said(answer.text)
    assert len(answer.text) < 120_000


async def test_a_form_that_is_longer_than_any_tool_is_not_read_to_its_end(operator: Browser) -> None:
    answer = await operator.client.post("/console/publish", content=b"tool=" + b"x" * FORM_BYTES_MAX)
    assert answer.status_code == 413
    assert "the form is too long" in said(answer.text)


async def test_nothing_is_published_or_done_without_a_reason_that_may_be_kept(world: World, operator: Browser) -> None:
    for reason in ("", "x" * 201, "call +49 151 2345678", "a@b.example"):
        answer = await operator.send("/publish", on="/publish", tool=TOML, act="publish", reason=reason)
        assert (answer.status_code, "reason: a reason is" in said(answer.text)) == (422, True)
        halted = await operator.send(f"/tools/{BOOKING}/halt", on=f"/tools/{BOOKING}", reason=reason)
        assert (halted.status_code, "Nothing was done: reason:" in said(halted.text)) == (422, True)
    assert await world.positions("ToolHalted") == []
    rollout_id = f"seed-{BOOKING}"
    answer = await operator.send(f"/rollouts/{rollout_id}/rollback", on=f"/rollouts/{rollout_id}", reason="")
    assert answer.status_code == 422
    assert await world.positions("RolloutRolledBack") == []


async def test_a_tool_is_halted_resumed_and_a_version_withdrawn(world: World, operator: Browser) -> None:
    await world.clinics(2)
    await world.publish(LOOKING)
    page = f"/tools/{BOOKING}"
    listed = await operator.text("/tools")
    assert f"2 clinics have {BOOKING}" in listed
    assert "Everybody is to have version 2." in listed
    assert "Nothing is ordered for everybody." in listed  # the other tools
    halted = said((await operator.send(f"{page}/halt", on=page, reason=HOSTILE[:25])).text)
    assert "No caller has it: it is halted. Why: <script>alert(1)</script>" in halted
    again = await operator.send(f"{page}/halt", on=page, reason="twice")
    assert (again.status_code, f"{BOOKING} is halted already" in said(again.text)) == (409, True)
    assert "it is halted" not in said((await operator.send(f"{page}/resume", on=page, reason="mended")).text)
    gone = said((await operator.send(f"{page}/versions/3/withdraw", on=f"{page}/versions/3", reason="wrong")).text)
    assert "It was withdrawn: nobody can be given it any more." in gone
    standing = await operator.send(f"{page}/versions/2/withdraw", on=f"{page}/versions/2", reason="wrong")
    assert (standing.status_code, "roll it back first" in said(standing.text)) == (409, True)
    (event,) = await world.connection.fetch("SELECT meta ->> 'actor' AS by FROM events WHERE type = 'VersionWithdrawn'")
    assert event["by"] == "platform:devstack"


async def test_a_tool_is_enabled_and_disabled_by_plans(world: World, operator: Browser) -> None:
    clinics = await world.clinics(2)
    page = f"/tools/{CANCELLING}"
    rollout_id = await _planned(operator, f"{page}/enable", page)
    assert "get the tool (POST /tool, link) 2 2" in await operator.text(f"/rollouts/{rollout_id}")
    await _started(operator, rollout_id)
    assert "Meanwhile version 2 is rolled out" in await operator.text(page)
    await world.until(rollout_id, "completed")
    assert set(await world.versions(CANCELLING)) == set(clinics)
    careful = await _planned(operator, f"{page}/disable", page, stages="careful")
    assert "lose the tool (unlink) 2 2" in await operator.text(f"/rollouts/{careful}")
    assert "for nobody" in await operator.text("/rollouts")
    wrong = await operator.send(f"{page}/disable", on=page, stages="all at once")
    assert (wrong.status_code, "choose the stages default or careful" in said(wrong.text)) == (422, True)


async def test_a_plan_that_is_not_true_any_more_is_not_started_but_planned_anew(
    world: World, operator: Browser, make_browser: Callable[[], Browser]
) -> None:
    await world.clinics(3)
    number = await world.publish(LOOKING)
    on = f"/tools/{BOOKING}/versions/{number}"
    old = await _planned(operator, f"{on}/order", on)
    await world.clinics(3)
    digest = (await world.fleet()).plans[old][0].digest
    path = f"/rollouts/{old}"
    changed = await operator.send(f"{path}/apply", on=path, digest=digest, reason="go")
    assert changed.status_code == 409
    assert "of the plan's clinics have changed since: plan it anew" in said(changed.text)
    other = await operator.send(f"{path}/apply", on=path, digest="0" * 8, reason="go")
    assert (other.status_code, "is planned as" in said(other.text)) == (409, True)
    new = (await operator.send(f"{path}/again", on=path)).url.path.rpartition("/")[2]
    assert new != old
    assert "update in place (PATCH /tool) 6 6" in await operator.text(f"/rollouts/{new}")
    assert "Running." in await _started(operator, new)
    assert (await operator.send(f"/rollouts/{new}/again", on=path)).status_code == 409


async def test_a_rollout_is_paused_promoted_resumed_and_aborted_and_its_bar_goes_on(
    world: World, operator: Browser
) -> None:
    await world.clinics(2)
    number = await world.publish(LOOKING)
    on = f"/tools/{BOOKING}/versions/{number}"
    rollout_id = await _planned(operator, f"{on}/order", on, stages="careful")
    page = await _started(operator, rollout_id)
    assert "10 % of the clinics" in page
    assert "40 calls or 12 h, 30 min after it is done" in page
    path = f"/rollouts/{rollout_id}"
    paused = said((await operator.send(f"{path}/pause", on=path, reason="lunch")).text)
    assert 'Paused, by platform:devstack: "lunch"' in paused
    assert "Pause" not in paused.partition("What can be done")[2]
    assert "its change window" not in await operator.text(f"{path}/orgs?state=waiting")
    resumed = said((await operator.send(f"{path}/resume", on=path, reason="done")).text)
    assert 'Running, resumed by platform:devstack: "done"' in resumed
    promoted = said((await operator.send(f"{path}/promote", on=path, reason="go on")).text)
    assert "a stage promoted by platform:devstack" in promoted
    aborted = said((await operator.send(f"{path}/abort", on=path, reason="no")).text)
    assert "Aborted, by platform:devstack" in aborted
    bar = await operator.get(f"{path}/bar")
    assert ("<html" in bar.text, "<progress" in bar.text) == (False, True)
    assert BOOKING in (await operator.get("/rollout-bars")).text


async def test_clinics_that_vapi_refused_are_named_with_its_words_and_tried_again(
    world: World, operator: Browser
) -> None:
    one, _ = await world.clinics(2)
    number = await world.publish(LOOKING)
    await world.refuse(one)
    rollout_id = await world.start(number)
    await world.rest()
    path = f"/rollouts/{rollout_id}"
    refused = await operator.text(f"{path}/orgs?state=refused")
    assert str(one) in refused
    assert "Vapi said: no" in refused
    assert "Vapi refuses it for 1" in await operator.text(path)
    await world.dials(rules=[])
    for org, status in (("x", 422), (str(uuid4()), 409)):
        assert (await operator.send(f"{path}/retry", on=path, org=org, reason="mended")).status_code == status
    retried = await operator.send(f"{path}/retry", on=path, org=str(one), reason="mended")
    assert "1 clinic is tried again now" in said(retried.text)
    await world.rest()
    assert (await world.versions())[one] == number


async def test_pages_are_small_with_many_rollouts_and_go_on_at_the_older_ones(world: World, operator: Browser) -> None:
    await world.clinics(1)
    for n in range(12):
        await world.complete(await world.publish(f"{LOOKING} {n}"))
    first = await operator.get("/rollouts")
    older = re.search(r'href="/console(/rollouts\?before=\d+)"', first.text)
    assert older is not None
    assert f"/rollouts/seed-{BOOKING}" not in first.text
    rest = await operator.get(older[1])
    assert f"/rollouts/seed-{BOOKING}" in rest.text
    sizes = [
        len(first.text),
        len((await operator.get("/tools")).text),
        len((await operator.get(f"/tools/{BOOKING}")).text),
    ]
    assert max(sizes) < 60_000


async def test_what_clinics_have_is_counted_rarely_and_once_for_all_who_ask(world: World) -> None:
    clock = [0.0]
    held = HeldCount(lambda: clock[0])
    first, second = [await held.now(world.connection) for _ in range(2)]
    assert first is second
    assert first.by_version.get((BOOKING, 2), 0) == 0
    await world.clinics(2)
    clock[0] = KEPT_SECONDS_MIN - 0.1
    assert await held.now(world.connection) is first
    clock[0] = KEPT_SECONDS_MIN
    assert (await held.now(world.connection)).by_version[BOOKING, 2] == 2


async def test_what_there_is_not_is_said(world: World, operator: Browser) -> None:
    for path, words in (
        ("/tools/boking", "boking"),
        (f"/tools/{BOOKING}/versions/99", "there is no document of version 99"),
        (f"/tools/{BOOKING}/diff?old=2&new=98", "98"),
        ("/rollouts/nothing", "there is no rollout nothing"),
        (f"/tools/{HOSTILE[:8]}", "this address is of no page"),
        (f"/tools/{BOOKING}/diff", "this address is of no page"),
    ):
        assert words in await operator.text(path, 404)
    rollout_id = (
        await _planned(operator, f"/tools/{BOOKING}/disable", f"/tools/{BOOKING}") if await world.clinics(1) else ""
    )
    assert "apply starts it" in await operator.text(f"/rollouts/{rollout_id}/orgs", 409)


async def test_an_empty_log_has_pages_too(operator: Browser) -> None:
    assert "Nobody has published a tool yet" in await operator.text("/tools")
    for path in ("/rollouts", "/rollout-bars", "/rollout-bars?before=1"):
        assert "No rollout was started" in await operator.text(path)


async def test_a_clinic_sees_nothing_of_it(world: World, make_browser: Callable[[], Browser], signer: Signer) -> None:
    clinic = make_browser()
    await clinic.sign_in(signer.org_token(str(uuid4())))
    for path in ("/tools", f"/tools/{BOOKING}", "/publish", "/rollouts", f"/rollouts/seed-{BOOKING}", "/rollout-bars"):
        assert "this needs a token with the role platform" in await clinic.text(path, 403)


async def test_no_form_is_taken_that_the_page_did_not_send(world: World, operator: Browser) -> None:
    tool = f"/tools/{BOOKING}"
    for path in (f"{tool}/halt", f"{tool}/versions/2/withdraw", f"/rollouts/seed-{BOOKING}/rollback", "/publish"):
        answer = await operator.client.post(f"/console{path}", data={"reason": "r", "tool": TOML, "act": "publish"})
        assert answer.status_code == 403, path
    assert await world.positions("ToolHalted", "VersionWithdrawn", "RolloutRolledBack") == []
