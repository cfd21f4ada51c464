"""The dials as a document, and which request a rule takes."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from vapi_sandbox.dials import Dials, Spread, document, merged, parse_dials
from vapi_sandbox.faults import FaultDesk

from .caller import Caller, rule, tool_body


async def test_the_dials_are_read_back_as_they_were_written(vapi: Caller) -> None:
    dials = {"latency_ms": {"p50": 1, "p99": 2}, "rules": [rule("POST /tool", "status", status=503, json={"a": 1})]}
    written = (await vapi.http.put("/__sandbox/dials", json=dials)).json()
    read = (await vapi.http.get("/__sandbox/dials")).json()
    assert read == written
    assert read["latency_ms"] == {"p50": 1.0, "p99": 2.0}
    assert read["rules"][0]["action"]["json"] == {"a": 1}
    assert parse_dials(json.dumps(read)) == parse_dials(json.dumps(dials))


async def test_put_replaces_all_and_patch_replaces_what_it_names(vapi: Caller) -> None:
    await vapi.turn(strict_tool_ids=True, list_lag_ms=5)
    patched = (await vapi.http.patch("/__sandbox/dials", json={"list_lag_ms": 7})).json()
    assert (patched["strict_tool_ids"], patched["list_lag_ms"]) == (True, 7)
    await vapi.turn(seed=3)
    assert (await vapi.http.get("/__sandbox/dials")).json() == document(Dials(seed=3))


@pytest.mark.parametrize(
    ("dials", "place"),
    [
        ({"latency": 5}, "latency"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"rules": [{"route": "POST /tools", "action": {"kind": "revoke_key"}}]}, "rules.0.route"),
        ({"rules": [{"route": "*", "action": {"kind": "explode"}}]}, "rules.0.action"),
        ({"rules": [{"route": "*", "probability": 2, "action": {"kind": "revoke_key"}}]}, "rules.0.probability"),
        ({"rules": [{"route": "*", "action": {"kind": "reset"}}]}, "rules.0.action.reset.commit"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_wrong_dials_are_refused_with_the_place_and_change_nothing(
    vapi: Caller, method: str, dials: dict[str, Any], place: str
) -> None:
    before = (await vapi.http.get("/__sandbox/dials")).json()
    assert any(problem.startswith(place) for problem in await vapi.problems("/__sandbox/dials", dials, method))
    assert (await vapi.http.get("/__sandbox/dials")).json() == before


async def test_dials_that_are_no_object_are_refused(vapi: Caller) -> None:
    for text in (b"[]", b"{", b""):
        for method in ("PUT", "PATCH"):
            answer = await vapi.http.request(method, "/__sandbox/dials", content=text)
            assert answer.status_code == 400, (method, text)
    with pytest.raises(ValidationError):
        merged(Dials(), b'{"seed": "one"}')


@pytest.mark.parametrize(
    ("match", "taken"),
    [
        ({"organization_id": "org-1"}, True),
        ({"organization_id": "org-2"}, False),
        ({"tool_name": "book"}, True),
        ({"tool_name": "cancel"}, False),
        ({"organization_id": "org-1", "tool_name": "book"}, True),
        ({"organization_id": "org-1", "tool_name": "cancel"}, False),
        ({"key": "sandbox-private-key"}, True),
        ({"key": "second-key"}, False),
        ({"body_contains": '"org-1"'}, True),
        ({"body_contains": "nothing"}, False),
        ({"assistant_id": "any"}, False),
    ],
)
async def test_a_rule_takes_the_requests_that_match(vapi: Caller, match: dict[str, str], taken: bool) -> None:
    await vapi.turn(rules=[rule("POST /tool", "status", match=match, status=500)])
    answer = await vapi.http.post("/tool", json=tool_body("book", "org-1"))
    assert answer.status_code == (500 if taken else 201)


async def test_a_rule_on_a_stored_tool_matches_its_marker_and_name(vapi: Caller) -> None:
    ours, theirs = await vapi.tool("book", "org-1"), await vapi.tool("book", "org-2")
    await vapi.turn(rules=[rule("*", "status", match={"organization_id": "org-2"}, times=9, status=500)])
    for method in ("GET", "DELETE"):
        assert (await vapi.http.request(method, f"/tool/{theirs['id']}")).status_code == 500
        assert (await vapi.http.request(method, f"/tool/{ours['id']}")).status_code == 200


async def test_a_rule_on_one_assistant(vapi: Caller) -> None:
    one, two = (await vapi.assistant())["id"], (await vapi.assistant())["id"]
    await vapi.turn(rules=[rule("PATCH /assistant/{id}", "status", match={"assistant_id": one}, status=500)])
    assert (await vapi.http.patch(f"/assistant/{two}", json={})).status_code == 200
    assert (await vapi.http.patch(f"/assistant/{one}", json={})).status_code == 500
    assert (await vapi.http.patch(f"/assistant/{one}", json={})).status_code == 200


async def test_a_rule_skips_then_fires_so_many_times_and_the_next_rule_takes_over(vapi: Caller) -> None:
    await vapi.turn(
        rules=[
            rule("GET /tool", "status", skip=1, times=2, status=500, name="first"),
            rule("GET /tool", "status", status=502),
        ]
    )
    statuses = [(await vapi.http.get("/tool")).status_code for _ in range(5)]
    assert statuses == [502, 500, 500, 200, 200]
    assert (await vapi.summary())["rules_fired"] == {"first": 2, "GET /tool status": 1}


async def test_a_probability_draws_the_same_for_the_same_seed(vapi: Caller) -> None:
    drawn = []
    for seed in (7, 7, 8):
        await vapi.turn(seed=seed, rules=[rule("GET /tool", "status", times=None, probability=0.5, status=500)])
        drawn.append([(await vapi.http.get("/tool")).status_code for _ in range(40)])
    assert drawn[0] == drawn[1] != drawn[2]
    assert 5 < drawn[0].count(500) < 35


async def test_a_patch_of_another_dial_gives_a_rule_no_new_shots(vapi: Caller) -> None:
    await vapi.turn(rules=[rule("GET /tool", "status", status=500)])
    assert (await vapi.http.get("/tool")).status_code == 500
    await vapi.http.patch("/__sandbox/dials", json={"list_lag_ms": 0})
    assert (await vapi.http.get("/tool")).status_code == 200
    await vapi.http.patch("/__sandbox/dials", json={"rules": [rule("GET /tool", "status", status=501)]})
    assert (await vapi.http.get("/tool")).status_code == 501


def test_a_spread_latency_has_the_percentiles_that_were_asked_for() -> None:
    desk = FaultDesk(Dials(seed=1))
    drawn = sorted(desk.delay_seconds(Spread(p50=200, p99=900)) for _ in range(4000))
    assert 0.19 < drawn[2000] < 0.21
    assert 0.8 < drawn[3960] < 1.05
    assert desk.delay_seconds(250) == 0.25


def test_a_rule_ends_by_itself_so_long_after_the_dials_were_turned() -> None:
    now = [100.0]
    desk = FaultDesk(Dials(), lambda: now[0])
    call: Any = SimpleNamespace(route=SimpleNamespace(name="GET /tool"))
    store: Any = None  # asked by rules alone that match a tool
    desk.turn(parse_dials(json.dumps({"rules": [rule("*", "status", status=500) | {"for_seconds": 60}]})))
    now[0] = 159.9
    assert desk.pick(call, store) is not None
    assert desk.standing() == desk.dials
    now[0] = 160.0
    assert desk.pick(call, store) is None
    assert desk.standing().rules == []
    desk.turn(desk.dials)
    assert desk.pick(call, store) is not None
