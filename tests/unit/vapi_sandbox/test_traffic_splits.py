"""Traffic splits: which version is named, who may make them, and who was first."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from vapi_sandbox import DEFAULT_VAPI_ORG

from .caller import Caller, Time

PATH = "/traffic-allocations"


async def assistant(vapi: Caller, versions: int = 3) -> str:
    """Create an assistant with so many versions."""
    made = await vapi.assistant(firstMessage="1")
    for number in range(2, versions + 1):
        await vapi.http.patch(f"/assistant/{made['id']}", json={"firstMessage": str(number)})
    return str(made["id"])


def targets(*pairs: tuple[str, float]) -> list[dict[str, Any]]:
    return [{"assistantVersion": version, "percentage": percentage} for version, percentage in pairs]


async def latest(vapi: Caller, assistant_id: str) -> Any:
    answer = await vapi.http.get(f"{PATH}/latest", params={"assistantId": assistant_id})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_assistant_without_a_split_has_no_allocation(vapi: Caller) -> None:
    assert await latest(vapi, await assistant(vapi)) == {}


async def test_a_split_names_versions_and_stays_when_another_version_is_published(vapi: Caller, time: Time) -> None:
    one = await assistant(vapi)
    body = {"assistantId": one, "targets": targets(("v1", 12.5), ("v3", 87.5), ("v2", 0)), "description": "careful"}
    made = await vapi.create(PATH, body)
    assert {name: made[name] for name in made if name not in ("id", "actorId")} == {
        "orgId": DEFAULT_VAPI_ORG,
        "assistantId": one,
        "allocationIntent": "explicit",
        "createdAt": "2026-09-21T14:13:20.000Z",
        "actorType": "api-key",
        "description": "careful",
        "targets": [
            {"assistantVersion": "v1", "position": 0, "percentage": 12.5},
            {"assistantVersion": "v3", "position": 1, "percentage": 87.5},
            {"assistantVersion": "v2", "position": 2, "percentage": 0},
        ],
    }
    await vapi.http.patch(f"/assistant/{one}", json={"firstMessage": "four"})
    assert (await latest(vapi, one))["allocation"] == made
    assert (await vapi.http.get(f"{PATH}/{made['id']}")).json() == made


async def test_the_history_grows_and_the_newest_governs(vapi: Caller) -> None:
    one, other = await assistant(vapi), await assistant(vapi)
    first = await vapi.create(PATH, {"assistantId": one, "targets": targets(("v1", 100))})
    second = await vapi.create(PATH, {"assistantId": one, "allocationIntent": "follow-latest"})
    await vapi.create(PATH, {"assistantId": other, "targets": targets(("v2", 100))})
    assert second["targets"] == []
    page = (await vapi.http.get(PATH, params={"assistantId": one, "limit": 1})).json()
    assert page["results"] == [second]
    assert (page["metadata"]["totalItems"], page["metadata"]["hasNextPage"]) == (2, True)
    oldest = (await vapi.http.get(PATH, params={"assistantId": one, "sortOrder": "ASC"})).json()
    assert oldest["results"] == [first, second]
    assert len((await vapi.http.get(PATH)).json()["results"]) == 3


async def test_a_publication_advances_a_split_that_follows_the_latest(vapi: Caller) -> None:
    one = await assistant(vapi)
    mine = await vapi.create(PATH, {"assistantId": one, "allocationIntent": "follow-latest"})
    await vapi.http.patch(f"/assistant/{one}", json={"firstMessage": "3"})
    assert (await latest(vapi, one))["allocation"] == mine  # nothing changed, so nothing was published
    await vapi.http.patch(f"/assistant/{one}", json={"firstMessage": "four"})
    now = (await latest(vapi, one))["allocation"]
    assert (now["id"] != mine["id"], now["actorType"], "actorId" in now) == (True, "system", False)


async def test_a_stale_expectation_is_a_conflict_that_names_the_current_allocation(vapi: Caller) -> None:
    one = await assistant(vapi)
    body = {"assistantId": one, "targets": targets(("v1", 100))}
    never = await vapi.http.post(PATH, json={**body, "expectedCurrentAllocationId": str(uuid4())})
    first = await vapi.create(PATH, body)
    second = await vapi.create(PATH, {**body, "expectedCurrentAllocationId": first["id"]})
    stale = await vapi.http.post(PATH, json={**body, "expectedCurrentAllocationId": first["id"]})
    assert [never.status_code, stale.status_code] == [409, 409]
    assert [never.json()["currentAllocationId"], stale.json()["currentAllocationId"]] == [None, second["id"]]
    assert stale.json()["error"] == "stale_allocation"
    assert "statusCode" not in stale.json()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "targets should not be empty"),
        ({"allocationIntent": "explicit"}, "targets should not be empty"),
        ({"allocationIntent": "follow-latest", "targets": targets(("v1", 100))}, "targets should not exist"),
        ({"allocationIntent": "sometimes"}, "allocationIntent must be one of"),
        ({"targets": []}, "targets must contain at least 1"),
        (
            {"targets": targets(*((f"v{n}", 16) for n in range(6)))},
            "targets must contain at least 1 and no more",
        ),
        ({"targets": targets(("v1", 50), ("v2", 49.999))}, "the percentages of targets must add up"),
        ({"targets": targets(("v1", 33.3333), ("v2", 66.6667))}, "targets.0.percentage must have at most three"),
        ({"targets": targets(("v1", 101))}, "targets.0.percentage must not be greater than 100"),
        ({"targets": targets(("v1", 50), ("v1", 50))}, "targets must name each assistantVersion once"),
        ({"targets": targets(("v9", 100))}, "targets.0.assistantVersion v9 is not a published version"),
        ({"targets": [{"assistantVersion": "v1", "percentage": 100, "weight": 1}]}, "targets.0.property weight"),
        ({"targets": targets(("v1", 100)), "assistantId": "one"}, "assistantId must be a UUID"),
        ({"targets": targets(("v1", 100)), "draft": True}, "property draft should not exist"),
    ],
)
async def test_a_wrong_split_is_refused(vapi: Caller, fields: dict[str, Any], sentence: str) -> None:
    problems = await vapi.problems(PATH, {"assistantId": await assistant(vapi), **fields})
    assert any(problem.startswith(sentence) for problem in problems), problems


async def test_what_is_not_there_or_not_ours_is_404(vapi: Caller, foreigner: Caller) -> None:
    one = await assistant(vapi)
    made = await vapi.create(PATH, {"assistantId": one, "targets": targets(("v1", 100))})
    body = {"assistantId": one, "targets": targets(("v1", 100))}
    assert (await foreigner.http.post(PATH, json=body)).status_code == 404
    assert (await foreigner.http.get(f"{PATH}/{made['id']}")).status_code == 404
    assert await latest(foreigner, one) == {}
    assert (await foreigner.http.get(PATH)).json()["results"] == []
    assert (await vapi.http.get(f"{PATH}/none")).status_code == 400
    assert (await vapi.http.delete(f"{PATH}/{made['id']}")).status_code == 404
    for query in ({}, {"assistantId": "one"}):
        assert (await vapi.http.get(f"{PATH}/latest", params=query)).status_code == 400
    for page in ({"page": "0"}, {"limit": "x"}, {"limit": "1001"}, {"sortOrder": "asc"}, {"cursor": "1"}):
        assert (await vapi.http.get(PATH, params=page)).status_code == 400


@pytest.mark.parametrize("orgs", [[DEFAULT_VAPI_ORG], ["*"]])
async def test_an_org_without_access_to_the_beta_gets_403_there_and_nowhere_else(vapi: Caller, orgs: list[str]) -> None:
    one = await assistant(vapi)
    await vapi.turn(without_traffic_splits=orgs)
    answers = [
        await vapi.http.get(f"{PATH}/latest", params={"assistantId": one}),
        await vapi.http.get(PATH),
        await vapi.http.get(f"{PATH}/{uuid4()}"),
        await vapi.http.post(PATH, json={"assistantId": one, "targets": targets(("v1", 100))}),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert answers[0].json()["statusCode"] == 403
    assert (await vapi.http.get(f"/assistant/{one}")).status_code == 200


async def test_a_split_is_in_the_journal_and_open_to_rules(vapi: Caller) -> None:
    one = await assistant(vapi)
    status = {"kind": "status", "status": 503}
    match = {"assistant_id": one}
    await vapi.turn(rules=[{"route": "GET /traffic-allocations/latest", "match": match, "action": status}])
    other = await vapi.http.get(f"{PATH}/latest", params={"assistantId": str(uuid4())})
    hit = await vapi.http.get(f"{PATH}/latest", params={"assistantId": one})
    assert (other.status_code, hit.status_code) == (200, 503)
    assert (await vapi.journal())[-1]["route"] == "GET /traffic-allocations/latest"
    await vapi.turn(rules=[{"route": "POST /traffic-allocations", "match": match, "action": status}])
    answer = await vapi.http.post(PATH, json={"assistantId": one, "targets": targets(("v1", 100))})
    assert answer.status_code == 503
    await vapi.turn()
    made = await vapi.create(PATH, {"assistantId": one, "targets": targets(("v1", 100))})
    assert (await vapi.journal())[-1]["created"] == [made["id"]]


async def test_a_tool_that_a_governing_version_pins_cannot_be_deleted(vapi: Caller) -> None:
    tool = (await vapi.tool())["id"]
    model = {"provider": "openai", "model": "gpt-4o"}
    one = (await vapi.assistant(model={**model, "toolRefs": [{"toolId": tool, "version": "v1"}]}))["id"]
    await vapi.create(PATH, {"assistantId": one, "targets": targets(("v1", 100))})
    await vapi.http.patch(f"/assistant/{one}", json={"model": model})
    assert (await vapi.http.delete(f"/tool/{tool}")).json()["error"] == "tool_pinned"
    await vapi.create(PATH, {"assistantId": one, "allocationIntent": "follow-latest"})
    assert (await vapi.http.delete(f"/tool/{tool}")).status_code == 200


async def test_versions_are_kept_bounded_and_a_write_that_changes_nothing_makes_none(vapi: Caller) -> None:
    tool = await vapi.tool()
    for _ in range(2):
        await vapi.http.patch(f"/tool/{tool['id']}", json={"async": True})
    versions = await _versions(vapi.http, tool["id"])
    assert [(kept["version"], kept["parentVersion"]) for kept in versions] == [("v1", None), ("v2", "v1")]
    assert versions[0]["document"] == tool
    assert versions[0]["configHash"] != versions[1]["configHash"]
    one = await assistant(vapi, versions=60)
    kept = [version["version"] for version in await _versions(vapi.http, one)]
    assert (len(kept), kept[-1]) == (51, "v60")
    await vapi.http.delete(f"/tool/{tool['id']}")
    assert await _versions(vapi.http, tool["id"]) == []


async def test_a_reset_forgets_splits(vapi: Caller) -> None:
    one = await assistant(vapi)
    await vapi.create(PATH, {"assistantId": one, "targets": targets(("v1", 100))})
    await vapi.http.post("/__sandbox/reset", json={})
    assert await latest(vapi, one) == {}


async def _versions(http: httpx.AsyncClient, resource_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await http.get("/__sandbox/versions", params={"id": resource_id})).json()
    return found
