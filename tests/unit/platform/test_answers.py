"""One table for both services: what a status means, how long to wait, and which words may be shown."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from zerotouch_platform.vapi.answers import (
    FIELDS_MAX,
    WORDS_CHARACTERS_MAX,
    Meaning,
    TooLarge,
    fields_of,
    meaning_of,
    read_body,
    retry_after_seconds,
    words_of,
)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (200, Meaning.ANSWERED), (201, Meaning.ANSWERED), (204, Meaning.ANSWERED), (302, Meaning.UNKNOWN),
        (400, Meaning.REFUSED), (401, Meaning.KEY_REFUSED), (402, Meaning.UNPAID), (403, Meaning.KEY_REFUSED),
        (404, Meaning.GONE), (405, Meaning.REFUSED), (408, Meaning.UNKNOWN), (409, Meaning.CONFLICT),
        (413, Meaning.REFUSED), (422, Meaning.REFUSED), (425, Meaning.NOT_PROCESSED), (429, Meaning.RATE_LIMITED),
        (499, Meaning.UNKNOWN), (500, Meaning.UNKNOWN), (503, Meaning.UNKNOWN), (504, Meaning.UNKNOWN),
        (520, Meaning.UNKNOWN), (599, Meaning.UNKNOWN), (100, Meaning.UNKNOWN),
    ],
)  # fmt: skip
def test_each_status_has_one_meaning(status: int, meaning: Meaning) -> None:
    assert meaning_of(status, "/tool") is meaning


def test_no_access_to_a_beta_is_told_apart_from_a_key_that_is_refused() -> None:
    assert meaning_of(403, "/traffic-allocations/latest") is Meaning.NO_ACCESS
    assert meaning_of(401, "/traffic-allocations/latest") is Meaning.KEY_REFUSED
    assert meaning_of(403, "/assistant/traffic-allocations") is Meaning.KEY_REFUSED


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


def test_words_are_printable_and_short_and_fields_are_names_alone() -> None:
    raw = b'{"message":["model.messages.0.content must be a string\\u0000\\ud83d","each value in x must be y",7,null]}'
    (first, second) = words_of(raw)
    assert "\x00" not in first
    first.encode()
    assert fields_of((first, second)) == ("model.messages.0.content",)
    assert (
        sum(len(text) for text in words_of(b'{"message":["%s","%s"]}' % (b"a" * 1500, b"b" * 1500)))
        == WORDS_CHARACTERS_MAX
    )
    assert len(fields_of(tuple(f"f{n} must be x" for n in range(100)))) == FIELDS_MAX
    for odd in (b"<html>", b"[]", b"7", b'{"message":{}}', b"", b"\xff"):
        assert words_of(odd) == ()


async def test_a_body_is_read_to_its_limit_and_unpacked_where_a_proxy_packed_it() -> None:
    import gzip

    packed = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(gzip.compress(b"{}")))
    assert await read_body(packed, 10) == b"{}"
    with pytest.raises(TooLarge):
        await read_body(httpx.Response(200, stream=httpx.ByteStream(b"x" * 11)), 10)
    bomb = gzip.compress(b"x" * 1000)
    with pytest.raises(TooLarge):
        await read_body(httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(bomb)), 100)
