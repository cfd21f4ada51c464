"""The platform pins a clinic to a version, over HTTP or by command, and whoever asks is told by whom and why."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from devstack.databases import DatabaseUrls
from tool_sync.domain import events as e
from tool_sync.rollouts.applying import plan_order

from ..command import command, result
from ..ordering import order_of, say, version
from .desk import BOOK, CANCEL, Desk
from .test_settings import refused

WHY = "a fair at the front desk"
UNTIL = (datetime.now(UTC) + timedelta(days=20)).replace(microsecond=0)
PIN = f"tools/{BOOK}/pin"


def token(desk: Desk) -> str:
    return desk.signer.platform_token()


async def put(desk: Desk, number: Any = 2, until: Any = UNTIL, reason: Any = WHY, tool: str = BOOK, **more: Any) -> Any:
    body = {"version": number, "until": until.isoformat() if isinstance(until, datetime) else until, "reason": reason}
    return await desk.ask("PUT", f"tools/{tool}/pin", token=token(desk), json=body, **more)


async def test_a_pin_is_put_shown_told_and_taken_back(desk: Desk) -> None:
    nothing = await desk.get(PIN, token=token(desk))
    assert (nothing["version"], nothing["position"], nothing["actor"]) == (None, 0, None)

    answer = await put(desk)
    assert answer.status_code == 202
    said = answer.json()
    assert (said["version"], said["reason"], datetime.fromisoformat(said["until"])) == (2, WHY, UNTIL)
    assert answer.headers["etag"] == f'"{said["position"]}"'
    assert said["actor"].startswith("platform:")
    assert await desk.get(PIN, token=token(desk)) == said
    assert (await put(desk)).status_code == 200

    why = await desk.get(f"tools/{BOOK}/why")
    assert why["rule"].startswith(f"pinned to version 2 until {UNTIL:%Y-%m-%d %H:%M:%S} UTC by the platform (")
    assert f": {WHY}; without that by rollout " in why["rule"]
    assert (why["pin"]["version"], why["pin"]["reason"]) == (2, WHY)
    (change,) = [one for one in (await desk.get("changes"))["changes"] if one["kind"] == "pinned"]
    assert (change["version"], change["reason"], datetime.fromisoformat(change["until"])) == (2, WHY, UNTIL)
    assert change["by"].startswith("the platform")

    gone = await desk.ask("DELETE", PIN, token=token(desk), params={"reason": "it is over"})
    assert (gone.status_code, gone.json()["version"], gone.json()["reason"]) == (202, None, "it is over")
    assert await desk.get(PIN, token=token(desk)) == gone.json()
    again = await desk.ask("DELETE", PIN, token=token(desk), params={"reason": "it is over"})
    assert (again.status_code, again.json()) == (200, gone.json())
    assert (await desk.get("changes"))["changes"][0]["kind"] == "unpinned"
    assert (await desk.get(f"tools/{BOOK}/why"))["pin"] is None


async def test_the_end_by_time_of_a_pin_that_had_been_replaced_is_no_change(desk: Desk) -> None:
    first = (await put(desk)).json()["position"]
    second = (await put(desk, reason="another fair")).json()["position"]
    for pinned_at in (first, second):
        await desk.happened(e.ToolPinExpired(BOOK, pinned_at))

    kinds = [one["kind"] for one in (await desk.get("changes"))["changes"] if "pin" in one["kind"]]
    assert kinds == ["pin_expired", "pinned", "pinned"]
    assert (await desk.get(PIN, token=token(desk)))["version"] is None


async def test_whoever_has_not_seen_the_newest_pin_is_refused(desk: Desk) -> None:
    first = (await put(desk)).headers["etag"]
    newest = (await put(desk, reason="another")).headers["etag"]

    refused(await put(desk, headers={"If-Match": first}), 412, newest)
    assert (await put(desk, reason="a third", headers={"If-Match": newest})).status_code == 202


async def test_a_clinic_s_own_token_pins_nothing_and_another_clinic_is_not_told_of(desk: Desk) -> None:
    body = {"version": 2, "until": UNTIL.isoformat(), "reason": WHY}
    for method, more in (("GET", {}), ("PUT", {"json": body}), ("DELETE", {"params": {"reason": WHY}})):
        assert (await desk.ask(method, PIN, **more)).status_code == 403
        assert (await desk.ask(method, PIN, org_id=uuid4(), **more)).status_code == 403
    assert await desk.pool.fetchval("SELECT count(*) FROM events WHERE type = 'ToolPinned'") == 0


@pytest.mark.parametrize(
    ("wish", "status", "words"),
    [
        ({"number": 9}, 422, ("has no version 9", "there is 2")),
        ({"number": 1, "tool": CANCEL}, 422, ("is for professional", "would lose the tool")),
        ({"until": UNTIL - timedelta(days=40)}, 422, ("has passed",)),
        ({"until": UNTIL + timedelta(days=90)}, 422, ("too far away", "90 days at most")),
        ({"until": "9999-12-31T23:59:59Z"}, 422, ("too far away",)),
        ({"until": "2026-12-24T18:00:00"}, 422, ("until",)),
        ({"until": "soon"}, 422, ("until",)),
        ({"until": 1e300}, 422, ("until",)),
        ({"number": "2"}, 422, ("version",)),
        ({"number": True}, 422, ("version",)),
        ({"number": 2**70}, 422, ("version",)),
        ({"reason": "a\nb"}, 422, ("one line",)),
        ({"reason": "call +49 30 1234567 89"}, 422, ("phone numbers",)),
        ({"tool": "bookclinicappointments"}, 404, (f"did you mean {BOOK}?",)),
    ],
)
async def test_what_cannot_be_is_refused_by_name_and_nothing_is_written(
    desk: Desk, wish: dict[str, Any], status: int, words: tuple[str, ...]
) -> None:
    refused(await put(desk, **wish), status, *words)
    assert await desk.pool.fetchval("SELECT count(*) FROM events WHERE type = 'ToolPinned'") == 0


async def test_a_pin_of_a_withdrawn_version_or_for_who_is_gone_is_refused(desk: Desk) -> None:
    await desk.happened(e.VersionWithdrawn(BOOK, 2, "wrong"))
    refused(await put(desk), 422, "version 2 of", "was withdrawn")
    refused(await put(desk, org_id=uuid4()), 404)
    await desk.happened(e.OrgClosed())
    refused(await put(desk), 409, "was deleted")


async def test_what_a_clinic_is_to_have_is_told_with_the_rules_that_are_beaten_at_any_position(desk: Desk) -> None:
    before = await desk.pool.fetchval("SELECT max(position) FROM events")
    again = version(BOOK, 3, definition_hash="b" * 64)
    await say(desk.log, again, *order_of(again))
    await put(desk)
    await desk.happened(e.ToolSettingChanged(BOOK, False, "closed"))

    now = {one["tool"]: one for one in (await desk.get("wanted"))["tools"]}
    assert (now[BOOK]["rule"], now[BOOK]["version"]) == ("setting", None)
    assert [(one["rule"], one["version"]) for one in now[BOOK]["beaten"]] == [("pinned", 2), ("order", 3)]
    assert (now[CANCEL]["rule"], [one["rule"] for one in now[CANCEL]["beaten"]]) == ("tier", ["order"])

    then = await desk.get("wanted", params={"position": before})
    (book,) = [one for one in then["tools"] if one["tool"] == BOOK]
    assert (book["rule"], book["version"], book["beaten"]) == ("order", 2, [])
    assert then["as_of_position"] <= before
    refused(await desk.ask("GET", "wanted", params={"position": 10**9}), 404, "the log ends at position")
    assert (await desk.ask("GET", "wanted", org_id=uuid4())).status_code == 404


async def test_the_command_line_pins_lists_and_takes_back(desk: Desk, tool_sync_db: DatabaseUrls) -> None:
    org, url = str(desk.org_id), tool_sync_db.service
    until = f"{UNTIL:%Y-%m-%d %H:%M}"

    async def said(*arguments: str, status: int = 0) -> str:
        code, stdout, stderr = await command("org", *arguments, database_url=url)
        assert code == status, (stdout, stderr)
        return " ".join((stdout + stderr).split())

    reason = ("--reason", WHY)
    assert f"stays at version 2 of {BOOK} until {until}" in await said(
        "pin", org, f"{BOOK}@2", "--until", until, *reason
    )
    assert "nothing was written" in await said("pin", org, f"{BOOK}@2", "--until", until, *reason)
    for arguments in ((), (org,)):
        listed = await said("pins", *arguments)
        assert (f"{org} {BOOK}: pinned to version 2 until {until}" in listed, "1 pin(s)" in listed) == (True, True)
    assert "0 pin(s)" in await said("pins", str(uuid4()))
    shown = await said("wanted", org)
    assert f"{BOOK}: version 2, by the rule pinned" in shown
    assert "beats: order (version 2 by rollout " in shown
    code, stdout, _ = await command("org", "wanted", org, "--json", database_url=url)
    assert (code, [one["rule"] for one in result(stdout)["tools"]]) == (0, ["pinned", "tier"])

    for wish, status, words in (
        ((org, f"{BOOK}@9", "--until", until), 3, "has no version 9"),
        ((org, f"{BOOK}@2", "--until", "yesterday"), 3, "has passed"),
        ((org, f"{BOOK}@2", "--until", "2999-01-01"), 3, "90 days at most"),
        ((org, f"{BOOK}@none", "--until", until), 2, "write a version"),
        ((org, "bookclinicappointments@2", "--until", until), 2, f"did you mean {BOOK}?"),
        ((str(uuid4()), f"{BOOK}@2", "--until", until), 2, "there is no organization"),
    ):
        assert words in await said("pin", *wish, *reason, status=status), wish
    assert "was withdrawn" not in await said("pins")
    code, _, stderr = await command("blueprint", "withdraw", f"{CANCEL}@1", "--reason", "wrong", database_url=url)
    assert (code, "gives version 1" in " ".join(stderr.split())) == (3, True)

    assert "it gets what is ordered" in await said("unpin", org, BOOK, *reason)
    assert "nothing was written" in await said("unpin", org, BOOK, *reason)
    assert "did you mean" in await said("unpin", org, "bookClinicAppointments", *reason, status=2)
    await desk.happened(e.OrgClosed())
    assert "was deleted" in await said("pin", org, f"{BOOK}@2", "--until", until, *reason, status=3)
    assert await desk.pool.fetchval("SELECT count(*) FROM events WHERE type = 'ToolPinned'") == 1
    assert "the log ends at position" in await said("wanted", org, "--at", "1000000", status=2)


async def test_a_plan_reads_a_pin_as_the_table_has_it(desk: Desk) -> None:
    await say(desk.log, version(BOOK, 3, definition_hash="b" * 64))
    await put(desk)
    async with desk.pool.acquire() as connection:
        planned = await plan_order(connection, desk.log, BOOK, 3, (e.RolloutStage("all", 10_000),), actor="test")

    assert getattr(planned, "tally").left_by == {"pinned": 1}  # noqa: B009 - a refusal has none
