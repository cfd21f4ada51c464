"""`Idempotency-Key`: what one request is, for whom, on which routes, and for how long (ADR 23)."""

import asyncio
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from assistant_api.http.routes import agents as agent_routes
from zerotouch_platform.loops import Wake

from .harness import Harness, token

Ask = Callable[[Harness, UUID], tuple[str, str, Any]]

# Every route that writes: method, path and body for an organization whose agent is "a".
WRITES: Final[dict[str, Ask]] = {
    "add an agent": lambda _, org: ("POST", "/api/agents", {"name": "B", "orgId": str(org)}),
    "change an agent": lambda _, org: ("PATCH", f"/api/agents/a?orgId={org}", {"firstMessage": "Hello"}),
    "delete an agent": lambda _, org: ("DELETE", f"/api/agents/a?orgId={org}", None),
    "sync an agent": lambda _, org: ("POST", "/api/assistants/sync", {"agentId": "a", "orgId": str(org)}),
    "auto-sync an agent": lambda _, org: ("POST", "/api/assistants/auto-sync", {"agentId": "a", "orgId": str(org)}),
    "auto-sync all": lambda _, org: ("POST", "/api/assistants/auto-sync", {"orgId": str(org)}),
    "add a clinic": lambda _, org: ("POST", "/api/organizations", {"name": "B"}),
    "change a calendar": lambda _, org: ("PUT", f"/api/organizations/{org}/calendar", {"slotMinutes": 45}),
    "delete a clinic": lambda _, org: ("DELETE", f"/api/organizations/{org}", None),
}


async def _ask(
    harness: Harness, asked: tuple[str, str, Any], key: str, bearer: str | None = None, *, body: Any = None
) -> httpx.Response:
    method, path, given = asked
    headers = {"Idempotency-Key": key, "Authorization": f"Bearer {bearer or token()}"}
    return await harness.http.request(method, path, json=given if body is None else body, headers=headers)


async def _clinic(harness: Harness) -> UUID:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    return org_id


async def _written(harness: Harness) -> list[Any]:
    tables = ("organizations", "agents", "saves")
    return [await harness.owner.fetchval(f"SELECT count(*) FROM {table}") for table in tables] + [  # noqa: S608
        await harness.owner.fetchval("SELECT sum(saved_revision) FROM agents")
    ]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_every_route_that_writes_gives_its_first_answer_again(harness: Harness, write: Ask) -> None:
    asked = write(harness, await _clinic(harness))

    first = await _ask(harness, asked, "key-1")
    after = await _written(harness)
    again = await _ask(harness, asked, "key-1")

    assert first.status_code in {200, 201, 202, 204}, first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert await _written(harness) == after


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_every_route_that_writes_refuses_a_key_that_came_with_something_else(
    harness: Harness, write: Ask
) -> None:
    org_id = await _clinic(harness)
    asked = write(harness, org_id)
    assert (await _ask(harness, ("POST", "/api/organizations", {"name": "First"}), "key-1")).status_code == 201
    before = await _written(harness)

    answer = await _ask(harness, asked, "key-1")

    assert (answer.status_code, answer.json()["code"]) == (422, "TS-906")
    assert await _written(harness) == before


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_a_request_that_failed_after_it_was_written_is_finished_by_its_repeat(
    harness: Harness, write: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies, or answers 500, between the commit and the answer that is kept."""
    asked = write(harness, await _clinic(harness))

    def fails(*_: object) -> None:
        raise RuntimeError("after the commit")

    with monkeypatch.context() as patched:
        patched.setattr(Wake, "__call__", fails)  # what routes do after their transaction
        first = await _ask(harness, asked, "key-1")
    after = await _written(harness)
    again = await _ask(harness, asked, "key-1")

    assert again.status_code in {200, 201, 202, 204}, again.text
    assert first.status_code in {500, again.status_code}
    assert await _written(harness) == after


async def test_a_change_whose_answer_was_lost_is_one_save(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    org_id = await _clinic(harness)
    asked = ("PATCH", "/api/agents/a", {"firstMessage": "Hello"})

    async def fails(*_: object) -> httpx.Response:
        raise RuntimeError("after the commit")

    with monkeypatch.context() as patched:
        patched.setattr(agent_routes, "answer_save", fails)
        first = await _ask(harness, asked, "key-1", token(org_id))
    again = await _ask(harness, asked, "key-1", token(org_id))

    assert (first.status_code, again.status_code) == (500, 200)
    assert (await harness.row("a"))["saved_revision"] == 2


async def test_a_change_that_is_repeated_while_it_is_answered_is_a_409(harness: Harness) -> None:
    org_id = await _clinic(harness)
    await harness.vapi.dial(latency_ms=400)
    asked = ("PATCH", "/api/agents/a", {"firstMessage": "Hello"})

    answers = await asyncio.gather(*(_ask(harness, asked, "slow", token(org_id)) for _ in range(3)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"TS-907"}
    assert (await harness.row("a"))["saved_revision"] == 2


@pytest.mark.parametrize("name", ["change an agent", "sync an agent", "auto-sync an agent", "auto-sync all"])
async def test_a_pruned_key_is_a_new_request(harness: Harness, name: str) -> None:
    asked = WRITES[name](harness, await _clinic(harness))
    first = await _ask(harness, asked, "key-1")
    await harness.provisioned("a")  # a sync joins what still waits
    await harness.owner.execute("DELETE FROM idempotency_keys")

    again = await _ask(harness, asked, "key-1")

    assert again.status_code == first.status_code
    assert again.json().get("requestId", "new") != first.json().get("requestId")
    assert (await harness.row("a"))["saved_revision"] == 3


async def test_a_pruned_key_of_a_new_agent_makes_another_agent(harness: Harness) -> None:
    org_id = await harness.organization()
    asked = ("POST", "/api/agents", {"name": "A"})
    first = await _ask(harness, asked, "key-1", token(org_id))
    await harness.owner.execute("DELETE FROM idempotency_keys")

    again = await _ask(harness, asked, "key-1", token(org_id))

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["agentId"] != first.json()["agentId"]
    assert await harness.owner.fetchval("SELECT count(*) FROM agents") == 2


@pytest.mark.parametrize("same_organization", [True, False], ids=["another agent", "another organization"])
@pytest.mark.parametrize("name", ["change an agent", "sync an agent", "auto-sync an agent"])
async def test_a_pruned_key_never_answers_for_another(harness: Harness, name: str, same_organization: bool) -> None:
    org_id = await _clinic(harness)
    other = org_id if same_organization else await harness.organization()
    await harness.agent(other, id="b")
    first = await _ask(harness, WRITES[name](harness, org_id), "key-1")
    await harness.owner.execute("DELETE FROM idempotency_keys")
    method, path, body = WRITES[name](harness, other)
    body = {**body, "agentId": "b"} if "agentId" in body else body

    second = await _ask(harness, (method, path.replace("/a?", "/b?"), body), "key-1")

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["requestId"] != second.json()["requestId"]
    assert (second.json()["agentId"], second.json()["orgId"]) == ("b", str(other))
    assert (await harness.row("b"))["saved_revision"] == 2
    assert [revision for revision, *_ in await harness.saves("b")] == [1, 2]


async def test_a_request_id_of_another_agent_is_not_known_in_sql(harness: Harness) -> None:
    org_id = await _clinic(harness)
    await harness.agent(org_id, id="b")
    request_id = await harness.owner.fetchval("SELECT request_id FROM saves WHERE agent_id = 'a'")

    known = await harness.owner.fetchval("SELECT request_save($1, 'a', 'sync', $2)", org_id, request_id)
    assert known == 1
    with pytest.raises(Exception, match="saves_pkey"):
        await harness.owner.fetchval("SELECT request_save($1, 'b', 'sync', $2)", org_id, request_id)


SUBJECTS: Final = {
    "two people": ("alice", "bob"),
    "long ones with one beginning": ("x" * 600 + "1", "x" * 600 + "2"),
    "one that is cut where the other ends": ("x" * 455, "x" * 456),
    "one that looks like scope and key": ("a|b", "a"),
    "one that looks like a hash": ("x" * 600, "#" + "0" * 64),
    "what cannot be stored": ("a\x00b", "a\x00c"),
}


@pytest.mark.parametrize(("one", "two"), SUBJECTS.values(), ids=SUBJECTS.keys())
async def test_two_subjects_never_share_a_key(harness: Harness, one: str, two: str) -> None:
    org_id = await harness.organization()
    key = "c" if one == "a|b" else "b|c"

    first = await _ask(harness, ("POST", "/api/agents", {"name": "A"}), key, token(org_id, sub=one))
    second = await _ask(harness, ("POST", "/api/agents", {"name": "B"}), "b|c", token(org_id, sub=two))
    again = await _ask(harness, ("POST", "/api/agents", {"name": "A"}), key, token(org_id, sub=one))

    assert (first.status_code, second.status_code) == (200, 200), (first.text, second.text)
    assert first.json()["agentId"] != second.json()["agentId"]
    assert first.json()["requestId"] != second.json()["requestId"]
    assert again.json() == first.json()


@pytest.mark.parametrize("key", ["ключ-№1", "clé", "鍵", "🔑", "a b", "\u00a0", "x" * 255], ids=repr)
async def test_a_key_may_be_any_text(harness: Harness, key: str) -> None:
    org_id = await harness.organization()
    headers = [(b"idempotency-key", key.encode()), (b"authorization", f"Bearer {token(org_id)}".encode())]

    answers = [await harness.http.post("/api/agents", json={"name": "A"}, headers=headers) for _ in range(2)]

    if len(key.encode()) > 255:
        assert [answer.status_code for answer in answers] == [422, 422]
    else:
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()
    assert await harness.owner.fetchval("SELECT count(*) FROM agents") <= 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x01b", "a\tb", "a\x7fb"], ids=repr)
async def test_a_key_that_is_none_is_refused(harness: Harness, key: str) -> None:
    answer = await _ask(harness, ("POST", "/api/organizations", {"name": "A"}), key)

    assert (answer.status_code, answer.json()["code"]) == (422, "TS-901")
    assert await harness.owner.fetchval("SELECT count(*) FROM organizations") == 0
