"""The table of failures: every status and every way in which an exchange breaks is of exactly one kind."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp.client_reqrep import ConnectionKey

from tool_sync.vapi import failures
from tool_sync.vapi.failures import KINDS, Kind, VapiFailure
from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_platform.vapi.answers import meaning_of, retry_after_seconds
from zerotouch_platform.vapi.exchange import lost, refused
from zerotouch_platform.vapi.transport import Answer

KEY = ConnectionKey("vapi", 443, True, True, None, None, None)


def answered(status: int, subject: Any, *, write: bool, **headers: str) -> VapiFailure:
    answer = Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"")
    failed = refused(answer, meaning_of(status, write=write, route=f"/{subject}"))
    return failures.of(failed, subject=subject, write=write)


def expected(status: int, *, write: bool) -> Kind:
    if status in (401, 402, 403):
        return Kind.AUTHENTICATION
    if status == 429:
        return Kind.RATE_LIMITED
    if status in (409, 425):
        return Kind.RETRYABLE
    if 400 <= status < 500 and status not in (408, 499):
        return Kind.PERMANENT
    return Kind.AMBIGUOUS if write else Kind.RETRYABLE


@pytest.mark.parametrize("subject", ["tool", "assistant"])
@pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
def test_every_status_that_is_no_success_is_of_one_kind(subject: str, write: bool) -> None:
    for status in (*range(100, 200), *range(300, 600)):
        failure = answered(status, subject, write=write)

        assert failure.kind is expected(status, write=write), status
        assert (failure.end == "unknown") == (failure.kind is Kind.AMBIGUOUS), status
        assert failure.retryable == (failure.kind is not Kind.PERMANENT), status
        assert failure.breaking == (status >= 500), status


BREAKS = [
    pytest.param(aiohttp.ClientConnectorError(KEY, OSError("refused")), "not_sent", id="connection refused"),
    pytest.param(aiohttp.ClientConnectorDNSError(KEY, OSError("no such name")), "not_sent", id="no such name"),
    pytest.param(aiohttp.ConnectionTimeoutError(), "not_sent", id="no connection in time"),
    pytest.param(aiohttp.ServerDisconnectedError(), "sent", id="disconnected"),
    pytest.param(aiohttp.ClientOSError(104, "reset"), "sent", id="reset"),
    pytest.param(aiohttp.ClientPayloadError("half"), "sent", id="half an answer"),
    pytest.param(httpx.ReadTimeout("slow"), "sent", id="read timeout"),
    pytest.param(httpx.RemoteProtocolError("no HTTP"), "sent", id="no HTTP"),
    pytest.param(httpx.ConnectTimeout("said by the transport of a lost connection"), "sent", id="lost, called timeout"),
    pytest.param(TimeoutError(), "sent", id="deadline"),
    pytest.param(ConnectionResetError(), "sent", id="socket reset"),
    pytest.param(ssl.SSLError("broken"), "sent", id="TLS"),
    pytest.param(asyncio.IncompleteReadError(b"", 1), "sent", id="end of file"),
]


@pytest.mark.parametrize(("error", "sent"), BREAKS)
def test_a_write_that_may_have_been_sent_is_ambiguous_and_every_other_break_is_retryable(
    error: BaseException, sent: str
) -> None:
    write = failures.of(lost(error), subject="tool", write=True)
    read = failures.of(lost(error), subject="tool", write=False)

    assert write.kind is (Kind.AMBIGUOUS if sent == "sent" else Kind.RETRYABLE)
    assert write.end == ("unknown" if sent == "sent" else "not_sent")
    assert (read.kind, read.end) == (Kind.RETRYABLE, "not_sent")
    assert write.breaking
    assert read.breaking


@pytest.mark.parametrize(("write", "kind"), [(True, Kind.AMBIGUOUS), (False, Kind.RETRYABLE)])
def test_an_answer_that_cannot_be_read_is_an_answer_all_the_same(write: bool, kind: Kind) -> None:
    failure = failures.invalid_answer("no id", write=write)

    assert failure.kind is kind
    assert not failure.breaking


def test_a_code_is_retryable_in_the_catalogue_exactly_where_its_kind_is_not_permanent() -> None:
    assert {code for code in KINDS if not CATALOGUE[code].retryable} == {
        code for code, kind in KINDS.items() if kind is Kind.PERMANENT
    }
    assert set(Kind) == set(KINDS.values())
    assert {code for code in ErrorCode if code.value.startswith(("TS-1", "TS-2"))} - set(KINDS) == {
        ErrorCode.SEND_WINDOW_MISSED,  # no call was made
        ErrorCode.ASSISTANT_BEING_RELEASED,  # said of an answer that was clean
        ErrorCode.CALL_REFUSED,  # assistant-api's: tool-sync deletes no phone calls
        ErrorCode.VAPI_KEY_SEALED,  # nothing is sent, as nobody knows with what
        ErrorCode.VAPI_ACCOUNT_UNKNOWN,
    }


DATE = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
WAITS = [
    ("0", 0.0),
    ("7", 7.0),
    (" 7 ", 7.0),
    ("3600", 3600.0),
    ("86400", 3600.0),
    ("9" * 400, 3600.0),
    ("", None),
    ("-1", None),
    ("1.5", None),
    ("soon", None),
    ("٣", None),
    (format_datetime(DATE + timedelta(seconds=90), usegmt=True), 90.0),
    (format_datetime(DATE - timedelta(seconds=90), usegmt=True), 0.0),
    (format_datetime(DATE + timedelta(days=2), usegmt=True), 3600.0),
    ("Tue, 24 Nov 2026 08:00:05", 5.0),
    ("Tue, 99 Nov 2026 08:00:05 GMT", None),
]


@pytest.mark.parametrize(("raw", "seconds"), WAITS)
def test_retry_after_is_read_as_seconds_or_as_a_date_beside_the_answers_own(raw: str, seconds: float | None) -> None:
    headers = httpx.Headers([(b"retry-after", raw.encode()), (b"date", format_datetime(DATE, usegmt=True).encode())])

    assert retry_after_seconds(headers) == seconds


def test_without_a_date_of_its_own_an_answer_is_as_old_as_now() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    found = retry_after_seconds(httpx.Headers({"retry-after": at}))

    assert found is not None
    assert 50 < found <= 60
    assert retry_after_seconds(httpx.Headers()) is None


@pytest.mark.parametrize("status", [429, 503, 409])
def test_whoever_says_when_to_come_back_is_heard(status: int) -> None:
    assert answered(status, "tool", write=False, retry_after="9").retry_after_seconds == 9
