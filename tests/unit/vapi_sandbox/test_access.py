"""Who may call, what routes there are, how often one may call."""

from __future__ import annotations

import httpx
import pytest

from .caller import Caller, Time, caller


@pytest.mark.parametrize("header", ["Bearer nobody", "Basic sandbox-private-key", "sandbox-private-key", "Bearer "])
async def test_an_unknown_key_is_401(transport: httpx.ASGITransport, header: str) -> None:
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as http:
        answer = await http.get("/tool", headers={"authorization": header})
    assert answer.status_code == 401
    assert answer.json() == {
        "message": "Invalid Key. Hot tip, you may be using the private key instead of the public key, or vice versa.",
        "error": "Unauthorized",
        "statusCode": 401,
    }


async def test_no_key_is_401_with_other_words(transport: httpx.ASGITransport) -> None:
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as http:
        answer = await http.post("/tool", json={})
    assert answer.status_code == 401
    assert answer.json()["message"] == "Missing Authorization Header."


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/tool"),
        ("POST", "/tool/x"),
        ("PATCH", "/assistant"),
        ("GET", "/tools"),
        ("GET", "/"),
        ("GET", "/tool/x/y"),
    ],
)
async def test_an_unknown_route_is_404_with_its_name(vapi: Caller, method: str, path: str) -> None:
    answer = await vapi.http.request(method, path)
    assert answer.status_code == 404
    assert answer.json() == {"message": f"Cannot {method} {path}", "error": "Not Found", "statusCode": 404}


async def test_a_slash_at_the_end_is_tolerated(vapi: Caller) -> None:
    tool = (await vapi.create("/tool/", {"type": "function"}))["id"]
    assert (await vapi.http.get(f"/tool/{tool}/")).json()["id"] == tool


async def test_an_id_that_is_no_uuid_is_400(vapi: Caller) -> None:
    assert (await vapi.http.get("/tool/one")).json()["message"] == ["id must be a UUID"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_foreign_id_looks_like_an_unknown_one(vapi: Caller, foreigner: Caller, method: str) -> None:
    theirs = (await foreigner.tool())["id"]
    unknown = "00000000-0000-4000-8000-000000000000"
    answers = [await vapi.http.request(method, f"/tool/{id_}", json={}) for id_ in (theirs, unknown)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace(theirs, unknown) == answers[1].text
    assert (await foreigner.http.get(f"/tool/{theirs}")).status_code == 200


async def test_two_keys_of_one_org_write_the_same_resources(vapi: Caller, transport: httpx.ASGITransport) -> None:
    tool = (await vapi.tool())["id"]
    second = caller(transport, "second-key")
    assert (await second.http.delete(f"/tool/{tool}")).status_code == 200
    assert await vapi.listed() == []


async def test_answers_have_a_date(vapi: Caller, time: Time) -> None:
    assert (await vapi.http.get("/tool")).headers["date"] == "Mon, 21 Sep 2026 14:13:20 GMT"
    time.pass_(1)
    assert (await vapi.http.get("/nowhere")).headers["date"] == "Mon, 21 Sep 2026 14:13:21 GMT"


async def test_the_rate_limit_is_per_org_and_starts_anew_with_each_utc_minute(
    vapi: Caller, foreigner: Caller, time: Time
) -> None:
    time.pass_(39.5)  # to second 59.5 of a minute
    await vapi.turn(rate_limit_per_minute=2)
    statuses = [(await vapi.http.get("/tool")).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert (await foreigner.http.get("/tool")).status_code == 200
    refused = await vapi.http.get("/tool")
    assert refused.json() == {"message": "Rate limit exceeded", "error": "Too Many Requests", "statusCode": 429}
    assert "retry-after" not in refused.headers
    time.pass_(0.5)
    assert (await vapi.http.get("/tool")).status_code == 200


async def test_retry_after_names_the_seconds_to_the_next_minute_where_it_is_wanted(vapi: Caller, time: Time) -> None:
    await vapi.turn(rate_limit_per_minute=0, rate_limit_retry_after=True)
    assert (await vapi.http.get("/tool")).headers["retry-after"] == "40"
    time.pass_(39.5)
    assert (await vapi.http.get("/tool")).headers["retry-after"] == "1"


async def test_a_body_over_the_limit_is_413(vapi: Caller) -> None:
    answer = await vapi.http.post("/tool", content=b" " * 10_000_001, headers={"content-type": "application/json"})
    assert answer.status_code == 413
