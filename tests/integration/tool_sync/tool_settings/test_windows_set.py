"""A clinic keeps orders to its own hours, over HTTP and by an operator at the command line."""

from datetime import datetime
from uuid import uuid4

import pytest

from devstack.databases import DatabaseUrls
from tool_sync.domain import events as e

from ..command import command
from .desk import Desk

WHY = "never while patients call"


async def test_a_clinic_sets_its_hours_and_is_told_when_they_begin_in_its_own_time_too(desk: Desk) -> None:
    await desk.happened(e.OrgTierChanged("basic", "Asia/Kathmandu"))
    nothing = await desk.get("change-window")
    assert (nothing["window"], nothing["open"], nothing["opens_at"], nothing["position"]) == (None, True, None, 0)
    assert nothing["time_zone"] == "Asia/Kathmandu"

    answer = await desk.ask("PUT", "change-window", json={"window": "22:00-06:00", "reason": WHY})
    assert answer.status_code == 202
    said = answer.json()
    assert (said["window"], said["reason"], said["actor"][:4]) == ("22:00-06:00", WHY, "org:")
    assert answer.headers["etag"] == f'"{said["position"]}"'
    assert datetime.fromisoformat(said["opens_at"]).strftime("%H:%M %z") == "16:15 +0000"
    assert said["opens_at_local"].endswith("22:00 Asia/Kathmandu")
    assert (said["closes_at"] is None) == (not said["open"])
    assert (await desk.get("change-window"))["position"] == said["position"]

    again = await desk.ask("PUT", "change-window", json={"window": "22:00-06:00", "reason": WHY})
    assert (again.status_code, again.json()["position"]) == (200, said["position"])
    taken = await desk.ask("DELETE", "change-window", params={"reason": "a day off"})
    assert (taken.status_code, taken.json()["window"], taken.json()["reason"]) == (202, None, "a day off")
    assert (await desk.ask("DELETE", "change-window")).status_code == 200
    stored = await desk.pool.fetch("SELECT type, data FROM events WHERE type LIKE 'ChangeWindow%' ORDER BY position")
    assert [(row["type"], row["data"]) for row in stored] == [
        ("ChangeWindowSet", {"opens": "22:00", "closes": "06:00", "reason": WHY}),
        ("ChangeWindowRemoved", {"reason": "a day off"}),
    ]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"window": "22:00"}, "window: a change window is two times of day"),
        ({"window": "22:00-22:30"}, "window: a change window of 30 minutes is too short"),
        ({"window": "22:00-06:00", "reason": "call +49 170 1234567"}, "reason: "),
        ({"window": "22:00-06:00", "days": ["monday"]}, "days: "),
        ({"window": 22}, "window: "),
        ({}, "window: "),
    ],
)
async def test_hours_that_are_none_are_refused_by_name(desk: Desk, body: dict[str, object], problem: str) -> None:
    answer = await desk.ask("PUT", "change-window", json=body)
    assert (answer.status_code, problem in answer.json()["detail"]) == (422, True), answer.text
    assert (await desk.get("change-window"))["position"] == 0


async def test_another_clinic_is_not_there_and_one_that_was_deleted_sets_nothing(desk: Desk) -> None:
    other = uuid4()
    await desk.happened(e.OrgRegistered("basic"), org_id=other)
    for method, body in (("GET", None), ("PUT", {"window": "22:00-06:00"}), ("DELETE", None)):
        assert (await desk.ask(method, "change-window", org_id=other, json=body)).status_code == 404
    seen = {"If-Match": '"7"'}
    assert (await desk.ask("PUT", "change-window", json={"window": "22:00-06:00"}, headers=seen)).status_code == 412
    await desk.happened(e.OrgClosed())
    assert (await desk.ask("PUT", "change-window", json={"window": "22:00-06:00"})).status_code == 409


async def test_an_operator_sets_shows_and_removes_them(desk: Desk, tool_sync_db: DatabaseUrls) -> None:
    org, url = str(desk.org_id), tool_sync_db.service

    async def said(*arguments: str) -> str:
        status, stdout, stderr = await command("window", *arguments, database_url=url)
        assert (status, stderr) == (0, "")
        return " ".join(stdout.split())

    assert "has no change window: orders come at any time" in await said("show", org)
    told = await said("set", org, "22:00-06:00", "--reason", WHY)
    assert told.startswith("written; orders change the tools of")
    assert "22:00-06:00 UTC (by an operator (" in told
    assert "nothing was written" in await said("set", org, "22:00-06:00", "--reason", WHY)
    assert " opens " in await said("show", org)
    status, stdout, _ = await command("tools", org, database_url=url)
    assert (status, "orders change the tools of" in stdout) == (0, True)
    assert "has no change window (by an operator" in await said("remove", org, "--reason", WHY)
    for arguments, problem in (
        (("set", org, "22-6", "--reason", WHY), "two times of day"),
        (("show", str(uuid4())), "no organization"),
    ):
        status, _, stderr = await command("window", *arguments, database_url=url)
        assert (status, problem in " ".join(stderr.split())) == (2, True)
