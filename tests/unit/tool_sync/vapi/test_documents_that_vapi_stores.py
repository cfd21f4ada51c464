"""Whatever Vapi stores is read, written back and told in codes of ours."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.support.over_httpx import OverHttpx

from tool_sync.vapi import client as module
from tool_sync.vapi.client import VapiClient
from tool_sync.vapi.documents import latest_version
from tool_sync.vapi.failures import Kind, VapiFailure
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform import telemetry


def client(answer: Callable[[httpx.Request], httpx.Response]) -> VapiClient:
    return VapiClient(
        "http://vapi",
        lambda: "key",
        account="platform",
        deadline_seconds=5,
        transport=OverHttpx(httpx.MockTransport(answer)),
        telemetry=telemetry.off(),
    )


def unread(content: bytes, status: int = 200, encoding: str = "identity") -> httpx.Response:
    return httpx.Response(status, headers={"content-encoding": encoding}, stream=httpx.ByteStream(content))


async def test_half_an_emoji_goes_through_a_read_and_a_write() -> None:
    sent: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return unread(b'{"id":"a-1","firstMessage":"\\ud83d","n":[1e21,250.0,-0,1E400]}')

    vapi = client(answer)
    await vapi.update_assistant("a-1", await vapi.get_assistant("a-1"))

    assert sent[1] == b'{"id":"a-1","firstMessage":"\\ud83d","n":[1e21,250.0,-0,1E400]}'


async def test_an_assistant_that_is_too_large_is_a_coded_failure_that_waiting_does_not_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BODY_BYTES_MAX", 100)
    vapi = client(lambda _: unread(json.dumps({"id": "a-1", "name": "x" * 200}).encode()))

    with pytest.raises(VapiFailure) as read:
        await vapi.get_assistant("a-1")
    with pytest.raises(VapiFailure) as written:
        await vapi.update_assistant("a-1", {})

    assert (read.value.code, read.value.kind) == (ErrorCode.ASSISTANT_TOO_LARGE, Kind.PERMANENT)
    assert not read.value.breaking
    assert (written.value.end, written.value.kind) == ("unknown", Kind.AMBIGUOUS)


async def test_the_longest_prompt_that_the_product_takes_is_read_whatever_it_is_made_of() -> None:
    content = json.dumps({"id": "a-1", "model": {"messages": [{"content": "😀" * 40_000}]}}).encode()

    assert (await client(lambda _: unread(content)).get_assistant("a-1"))["id"] == "a-1"


async def test_an_answer_that_is_compressed_unasked_is_read() -> None:
    vapi = client(lambda _: unread(gzip.compress(b'{"id":"a-1"}'), encoding="gzip"))
    broken = client(lambda _: unread(b"no gzip", encoding="gzip"))

    assert await vapi.get_assistant("a-1") == {"id": "a-1"}
    with pytest.raises(VapiFailure) as caught:
        await broken.get_assistant("a-1")
    assert (caught.value.code, caught.value.breaking) == (ErrorCode.VAPI_ANSWER_INVALID, False)


async def test_vapis_words_are_kept_apart_from_what_a_log_may_have() -> None:
    said = {"message": ["model.provider must be one of: a, b", "property Erika Muster is wrong\n"]}
    vapi = client(lambda _: unread(json.dumps(said).encode(), 400))

    with pytest.raises(VapiFailure) as caught:
        await vapi.update_assistant("a-1", {})

    failure = caught.value
    assert failure.fields == ("model.provider",)
    assert "must be one of" in failure.words
    assert "Erika" in failure.words
    assert failure.detail == "model.provider"
    assert "Erika" not in str(failure)
    assert "must be" not in str(failure)


async def test_the_split_of_an_assistant_is_read_as_published() -> None:
    asked: list[str] = []
    split = {"id": "x", "allocationIntent": "explicit", "targets": [{"assistantVersion": "v7", "percentage": 100}]}

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return unread(json.dumps({"allocation": split} if len(asked) == 1 else {}).encode())

    vapi = client(answer)

    assert await vapi.traffic_allocation("a-1") == split
    assert await vapi.traffic_allocation("a-1") is None
    assert asked[0] == "http://vapi/traffic-allocations/latest?assistantId=a-1"


@pytest.mark.parametrize("body", [[], None, {"allocation": "v7"}])
async def test_a_split_that_cannot_be_read_is_not_taken_for_none(body: Any) -> None:
    with pytest.raises(VapiFailure) as caught:
        await client(lambda _: unread(json.dumps(body).encode())).traffic_allocation("a-1")
    assert caught.value.code is ErrorCode.VAPI_ANSWER_INVALID


@pytest.mark.parametrize(("status", "beta", "kind"), [
    (403, True, Kind.PERMANENT),
    (404, False, Kind.PERMANENT),
    (401, False, Kind.AUTHENTICATION),
    (429, False, Kind.RATE_LIMITED),
])  # fmt: skip
async def test_no_access_to_the_beta_is_not_the_keys_fault(status: int, beta: bool, kind: Kind) -> None:
    with pytest.raises(VapiFailure) as caught:
        await client(lambda _: unread(b"{}", status)).traffic_allocation("a-1")
    assert (caught.value.no_beta_access, caught.value.kind) == (beta, kind)
    assert caught.value.code is not ErrorCode.ASSISTANT_MISSING


def test_the_label_of_the_current_version_is_read_where_there_is_one() -> None:
    assert latest_version({"latestVersion": "v7"}) == "v7"
    for raw in (None, "", 7, "v" * 65, "v\x00"):
        assert latest_version({"latestVersion": raw}) is None
    assert latest_version({}) is None
