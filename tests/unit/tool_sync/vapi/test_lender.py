"""What assistant-api may answer to a request for a part of the key's minute, byte by byte."""

import pytest
from structlog.testing import capture_logs
from tests.support.raw_server import server

from tool_sync.vapi.rate_limit import lender
from tool_sync.vapi.rate_limit.lender import Lender
from zerotouch_platform.peer import Peer
from zerotouch_platform.vapi.transport import PooledTransport

MINUTE = 29_000_000


def said(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


async def lent(*answers: bytes, hold: bool = False) -> tuple[int, list[bytes]]:
    transport = PooledTransport(1)
    async with server(*answers, hold=hold) as (url, asked):
        try:
            return await Lender(Peer("assistant-api", url, "a.b-c", transport), "f" * 32).lend(MINUTE, 40), asked
        finally:
            await transport.close()


async def test_what_is_lent_by_name_counts() -> None:
    count, asked = await lent(said(b'{"minute":29000000,"requests":17}'))

    assert count == 17
    assert asked[0].startswith(b"POST /api/vapi-minutes HTTP/1.1")
    assert b'"requests":40' in asked[0]
    assert b"authorization: Bearer a.b-c" in asked[0].replace(b"Authorization", b"authorization")


@pytest.mark.parametrize(
    "answer",
    [
        said(b'{"minute":28999999,"requests":17}'),
        said(b'{"minute":29000000}'),
        said(b'{"minute":29000000,"requests":"17"}'),
        said(b'{"minute":29000000,"requests":1.5}'),
        said(b'{"minute":29000000,"requests":null}'),
        said(b"17"),
        said(b""),
        said(b"<html>"),
        said(b'{"minute":29000000,"requests":17}', b"201 Created"),
        said(b'{"minute":29000000,"requests":17}', b"409 Conflict"),
        said(b"", b"401 Unauthorized"),
        said(b"", b"404 Not Found"),
        said(b"", b"500 Internal Server Error"),
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"",
    ],
)
async def test_whatever_else_is_answered_lends_nothing(answer: bytes) -> None:
    assert (await lent(answer))[0] == 0


async def test_silence_lends_nothing_and_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lender, "DEADLINE_SECONDS", 0.2)
    assert (await lent(hold=True))[0] == 0


async def test_a_reason_is_told_once_and_not_every_minute() -> None:
    transport = PooledTransport(1)
    nobody = Lender(Peer("assistant-api", "http://127.0.0.1:1", "t", transport), "f" * 32)
    with capture_logs() as logs:
        for minute in range(5):
            assert await nobody.lend(MINUTE + minute, 1) == 0
    await transport.close()
    assert [line["event"] for line in logs] == ["Nothing is lent of the key's minute"]
