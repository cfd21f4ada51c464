"""Lists by page, deletions, and what is read from Vapi's documents."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.support.over_httpx import OverHttpx

from tool_sync.vapi.client import ASSISTANTS_PAGE_LIMIT, VapiClient
from tool_sync.vapi.documents import mentioned
from tool_sync.vapi.failures import VapiFailure
from zerotouch_platform import telemetry
from zerotouch_platform.vapi.paging import created_at

T0 = datetime(2026, 11, 24, tzinfo=UTC)


def client(answer: Callable[[httpx.Request], httpx.Response]) -> VapiClient:
    """A client whose requests are answered here, as from the network: not read yet."""

    def unread(request: httpx.Request) -> httpx.Response:
        made = answer(request)
        return httpx.Response(made.status_code, stream=httpx.ByteStream(made.content))

    return VapiClient(
        "http://vapi",
        lambda: "key",
        account="platform",
        deadline_seconds=5,
        transport=OverHttpx(httpx.MockTransport(unread)),
        telemetry=telemetry.off(),
    )


def made_at(n: int) -> str:
    """Three of one millisecond each: page boundaries fall between items of the same time."""
    return (T0 + timedelta(milliseconds=n // 3)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def account_of(
    count: int, requests: list[httpx.Request], *, oldest_first: bool = False
) -> Callable[[httpx.Request], httpx.Response]:
    """An account with so many assistants."""
    items = [{"id": f"a-{n}", "createdAt": made_at(n)} for n in range(count)][:: 1 if oldest_first else -1]

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        params = request.url.params
        since, until, limit = params.get("createdAtGe", ""), params.get("createdAtLt", "9"), int(params["limit"])
        return httpx.Response(200, json=[item for item in items if since <= item["createdAt"] < until][:limit])

    return answer


@pytest.mark.parametrize("count", [0, 1, 100, 101, ASSISTANTS_PAGE_LIMIT, ASSISTANTS_PAGE_LIMIT + 1, 1001, 2500])
async def test_every_assistant_is_listed_once(count: int) -> None:
    requests: list[httpx.Request] = []
    pages = client(account_of(count, requests)).assistant_pages()
    found = [item["id"] async for page in pages for item in page.items]

    assert found == [f"a-{n}" for n in reversed(range(count))]
    assert {request.url.path for request in requests} == {"/assistant"}
    assert len(requests) <= 2 * (count // (ASSISTANTS_PAGE_LIMIT - 3)) + 1


@pytest.mark.parametrize("count", [251, 600, 2500])
async def test_every_assistant_is_listed_once_also_where_the_oldest_come_first(count: int) -> None:
    requests: list[httpx.Request] = []
    pages = client(account_of(count, requests, oldest_first=True)).assistant_pages()

    assert len([item async for page in pages for item in page.items]) == count
    assert len(requests) <= 2 * (count // (ASSISTANTS_PAGE_LIMIT - 3)) + 1


async def test_more_of_one_millisecond_than_a_page_holds_is_a_failure_and_no_end() -> None:
    same = [{"id": f"a-{n}", "createdAt": made_at(0)} for n in range(ASSISTANTS_PAGE_LIMIT)]

    def answer(request: httpx.Request) -> httpx.Response:
        since, until = request.url.params.get("createdAtGe", ""), request.url.params.get("createdAtLt", "9")
        return httpx.Response(200, json=same if since <= made_at(0) < until else [])

    with pytest.raises(VapiFailure, match="more items in one millisecond"):
        [item async for item in client(answer).assistants()]


async def test_a_server_that_ignores_the_filter_is_a_failure_and_no_end() -> None:
    many = [{"id": f"a-{n}", "createdAt": made_at(n)} for n in range(ASSISTANTS_PAGE_LIMIT)]

    with pytest.raises(VapiFailure, match=r"ignored the filter by createdAt|calls brought"):
        [item async for item in client(lambda _: httpx.Response(200, json=many)).assistants()]


@pytest.mark.parametrize("body", [{"results": []}, None, "[]"])
async def test_what_is_no_list_of_assistants_is_never_taken_for_nobody_links_it(body: Any) -> None:
    with pytest.raises(VapiFailure):
        [item async for item in client(lambda _: httpx.Response(200, json=body)).assistants()]


async def test_an_unreadable_object_in_a_list_is_searched_like_any_other_and_hides_none() -> None:
    deep = b"[" * 5000 + b'"t-\\u0031"' + b"]" * 5000
    raw = b'[{"id":"a-1"},null,{"name":"no id","toolIds":["t-2"]},{"id":"../x"},' + deep + b',{"id":"a-2"}]'
    vapi = client(lambda _: httpx.Response(200, content=raw))

    [page] = [page async for page in vapi.assistant_pages()]
    found = [item async for item in vapi.assistants()]

    assert [item["id"] for item in page.items] == ["a-1", "a-2"]
    assert len(page.unreadable) == 4
    assert set().union(*(mentioned(item, {"t-1", "t-2", "t-3"}) for item in found)) == {"t-1", "t-2"}


async def test_a_page_that_is_too_long_is_asked_for_again_in_smaller_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tool_sync.vapi.client.LIST_BYTES_MAX", 1000)
    requests: list[httpx.Request] = []

    found = [item async for item in client(account_of(500, requests)).assistants()]

    assert len(found) == 500
    assert {request.url.params["limit"] for request in requests} >= {"250", "15"}


@pytest.mark.parametrize("content", [b"", b"{}", b'{"id": "t-1"}', b"[]"])
async def test_a_deletion_is_done_whatever_its_success_says(content: bytes) -> None:
    await client(lambda _: httpx.Response(204 if not content else 200, content=content)).delete_tool("t-1")


async def test_a_page_of_an_intercepting_proxy_is_no_deletion() -> None:
    with pytest.raises(VapiFailure) as caught:
        await client(lambda _: httpx.Response(200, content=b"<html>")).delete_tool("t-1")
    assert caught.value.end == "unknown"


async def test_a_deletion_is_one_request_without_a_body() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"id": "t-1"})

    await client(answer).delete_tool("t-1")
    assert [(r.method, r.url.path, r.content) for r in requests] == [("DELETE", "/tool/t-1", b"")]


@pytest.mark.parametrize(("status", "end"), [(404, "refused"), (409, "refused"), (400, "refused"), (503, "unknown")])
async def test_a_deletion_that_failed_says_whether_it_can_have_happened(status: int, end: str) -> None:
    with pytest.raises(VapiFailure) as caught:
        await client(lambda _: httpx.Response(status, json={"message": "no"})).delete_tool("t-1")
    assert (caught.value.status, caught.value.end) == (status, end)


def test_an_id_is_found_wherever_an_assistant_names_it() -> None:
    ids = {"t-1", "t-2"}

    assert mentioned({"model": {"toolIds": ["x", "t-1"]}}, ids) == {"t-1"}
    assert mentioned({"model": {"toolRefs": [{"toolId": "t-2", "version": "v1"}]}}, ids) == {"t-2"}
    assert mentioned({"hooks": [{"do": [{"type": "tool", "toolId": "t-1"}]}]}, ids) == {"t-1"}
    assert mentioned({"model": {"messages": ["t-10", "about t-1"]}, "name": None, "n": 3}, ids) == set()


def test_a_time_that_is_none_is_none() -> None:
    assert created_at({"createdAt": "2026-11-24T08:00:00.500Z"}) == T0 + timedelta(hours=8, milliseconds=500)
    assert created_at({"createdAt": "2026-11-24T09:00:00+01:00"}) == T0 + timedelta(hours=8)
    for raw in ("0001-01-01T00:00:00+23:59", None, "", "soon", 3, "2026-11-24T08:00:00"):
        assert created_at({"createdAt": raw}) is None
    assert created_at({}) is None
