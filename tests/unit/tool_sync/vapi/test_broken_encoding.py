"""An answer whose body is not in the encoding that it names, over a real socket: its status counts all the same."""

import pytest
from tests.support.raw_server import ok, server

from tool_sync.sync.asking import said_of
from tool_sync.vapi.client import VapiClient
from tool_sync.vapi.failures import VapiFailure
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.telemetry import off
from zerotouch_platform.vapi.transport import PooledTransport


async def failure_of(status: str, *, write: bool = False) -> VapiFailure:
    async with server(ok(b"not packed", "Content-Encoding: gzip", "Retry-After: 7", status=status)) as (url, _):
        vapi = VapiClient(
            url,
            lambda: "key",
            account="platform",
            deadline_seconds=10,
            transport=PooledTransport(1),
            telemetry=off(),
        )
        with pytest.raises(VapiFailure) as caught:
            await (vapi.update_tool("t-1", {}) if write else vapi.get_tool("t-1"))
        await vapi.close()
    return caught.value


@pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
@pytest.mark.parametrize(("status", "code", "said"), [
    ("401 Unauthorized", ErrorCode.VAPI_KEY_REFUSED, "refused"),
    ("402 Payment Required", ErrorCode.VAPI_PAYMENT_REQUIRED, "refused"),
    ("403 Forbidden", ErrorCode.VAPI_KEY_REFUSED, "refused"),
    ("404 Not Found", ErrorCode.TOOL_REFUSED, "answered"),
    ("429 Too Many Requests", ErrorCode.VAPI_RATE_LIMITED, "rate_limited"),
])  # fmt: skip
async def test_the_key_is_told_what_the_status_says(status: str, code: ErrorCode, said: str, write: bool) -> None:
    failure = await failure_of(status, write=write)

    assert (failure.status, failure.code, failure.end) == (int(status[:3]), code, "refused")
    assert said_of(failure) == said
    assert failure.retry_after_seconds == 7


async def test_a_server_error_counts_for_the_breaker_and_leaves_a_write_unknown() -> None:
    failure = await failure_of("503 Oops", write=True)

    assert (failure.code, failure.end, said_of(failure)) == (ErrorCode.VAPI_ANSWER_UNKNOWN, "unknown", "broken")


async def test_a_success_is_an_answer_that_is_not_valid() -> None:
    read, write = await failure_of("200 OK"), await failure_of("200 OK", write=True)

    assert (read.code, write.code) == (ErrorCode.VAPI_ANSWER_INVALID, ErrorCode.VAPI_ANSWER_UNKNOWN)
    assert read.detail == write.detail == "the answer's encoding is broken"
    assert said_of(read) == said_of(write) == "answered"
