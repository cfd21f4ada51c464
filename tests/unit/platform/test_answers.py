"""One table of statuses, one reading of Retry-After, one rule of what was sent, for both services."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given
from hypothesis import strategies as st

from zerotouch_platform.vapi.answers import (
    FIELDS_MAX,
    WORDS_CHARACTERS_MAX,
    BodyTooLarge,
    Meaning,
    field_paths,
    is_id,
    meaning_of,
    read_body,
    retry_after_seconds,
    was_not_sent,
    words_of,
)

KEY = ConnectionKey("vapi", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    "route", ["/assistant", "/assistant/{id}", "/tool", "/tool/t-1", "/traffic-allocations/latest"]
)
def test_a_write_that_no_4xx_denies_is_unknown_and_a_read_never_is(route: str) -> None:
    for status in range(100, 600):
        write, read = meaning_of(status, write=True, route=route), meaning_of(status, write=False, route=route)
        denied = 400 <= status < 500 and status not in (408, 499)

        assert (write is Meaning.UNKNOWN) == (not denied and not 200 <= status < 300), status
        assert read is (Meaning.SERVER_ERROR if write is Meaning.UNKNOWN else write), status
        assert (read is Meaning.DONE) == (200 <= status < 300), status


@pytest.mark.parametrize(("status", "route", "meaning"), [
    (401, "/traffic-allocations", Meaning.KEY_REFUSED),
    (402, "/traffic-allocations", Meaning.PAYMENT),
    (403, "/traffic-allocations", Meaning.NO_ACCESS),
    (403, "/traffic-allocations/latest", Meaning.NO_ACCESS),
    (403, "/assistant/{id}", Meaning.KEY_REFUSED),
    (403, "/tool", Meaning.KEY_REFUSED),
    (404, "/tool", Meaning.GONE),
    (408, "/tool", Meaning.UNKNOWN),
    (499, "/tool", Meaning.UNKNOWN),
    (409, "/tool", Meaning.CONFLICT),
    (413, "/assistant", Meaning.REFUSED),
    (425, "/assistant", Meaning.NOT_PROCESSED),
    (429, "/traffic-allocations", Meaning.RATE_LIMITED),
    (451, "/assistant", Meaning.REFUSED),
    (307, "/assistant", Meaning.UNKNOWN),
    (101, "/assistant", Meaning.UNKNOWN),
    (599, "/assistant", Meaning.UNKNOWN),
])  # fmt: skip
def test_a_status_of_a_write_means_what_the_table_says(status: int, route: str, meaning: Meaning) -> None:
    assert meaning_of(status, write=True, route=route) is meaning
    assert meaning.of_the_key == (status in (401, 402, 403, 429) and meaning is not Meaning.NO_ACCESS)


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_retry_after_breaks_anything(wait: str, date: str) -> None:
    seconds = retry_after_seconds({"retry-after": wait, "date": date})

    assert seconds is None or 0 <= seconds <= 3600


@pytest.mark.parametrize("raw", ["-1", "1.5", "soon", "٣", "7 8", "Tue, 24 Nov 2026 08:00:05 +9999999"])
def test_a_retry_after_that_is_nonsense_is_ignored(raw: str) -> None:
    assert retry_after_seconds({"retry-after": raw}) is None


def test_a_date_is_compared_with_the_answers_own() -> None:
    headers = {"retry-after": "Sat, 01 Jan 2000 00:01:00 GMT", "date": "Sat, 01 Jan 2000 00:00:00 GMT"}

    assert retry_after_seconds(headers) == 60
    assert retry_after_seconds(headers | {"date": "nonsense"}) == 0
    assert datetime.now(UTC).year > 2000


@pytest.mark.parametrize(("error", "not_sent"), [
    (aiohttp.ClientConnectorError(KEY, OSError("no route")), True),
    (aiohttp.ClientConnectorDNSError(KEY, OSError("no such name")), True),
    (aiohttp.ClientConnectorCertificateError(KEY, ValueError("expired")), True),
    (aiohttp.InvalidURL("http://"), True),
    (aiohttp.ConnectionTimeoutError(), True),
    (aiohttp.ServerDisconnectedError(), False),
    (aiohttp.ClientOSError(104, "reset"), False),
    (ConnectionResetError(), False),
    (aiohttp.SocketTimeoutError(), False),
    (aiohttp.ClientPayloadError(), False),
    (TimeoutError(), False),
])  # fmt: skip
def test_only_a_connection_that_was_never_made_means_not_sent(error: Exception, not_sent: bool) -> None:
    assert was_not_sent(error) is not_sent


@pytest.mark.parametrize(("message", "field"), [
    ("model.provider must be one of the following values: openai", "model.provider"),
    ("property toolRefs should not exist", "toolRefs"),
    ("model.property x should not exist", None),
    ("each value in model.toolIds must be a UUID", "model.toolIds"),
    ("nested property server.url must be a URL", "server.url"),
    ("name has Erika Muster in it", "name"),
    ("Erika Muster is not a name", None),
    ("<b>x</b> must be", None),
    ("x" * 101 + " must be", None),
    ("Müller must be a string", None),
    ("", None),
])  # fmt: skip
def test_of_vapis_words_a_log_gets_the_paths_of_fields_only(message: str, field: str | None) -> None:
    assert field_paths([message]) == (() if field is None else (field,))


@given(st.lists(st.text(max_size=200), max_size=40))
def test_words_are_printable_and_bounded(messages: list[str]) -> None:
    words = words_of(json.dumps({"message": messages}).encode())

    assert len(words.text) <= WORDS_CHARACTERS_MAX
    assert words.text.isprintable()
    assert len(words.fields) <= FIELDS_MAX


@pytest.mark.parametrize(
    "raw", [b"", b"<html>", b"[]", b"null", b'{"message":7}', b'{"message":[null,{}]}', b"[" * 9999]
)
def test_an_edges_page_says_nothing(raw: bytes) -> None:
    assert (words_of(raw).text, words_of(raw).fields) == ("", ())


def test_an_id_can_stand_in_a_path() -> None:
    assert all(map(is_id, ["a", "abc-1", "0b5f8a70-7a0e-4a5b-9d3e-111111111111"]))
    assert not any(map(is_id, ["", "../x", "a/b", "a" * 65, "ä", "a\n", None, 7, "a b", "\ud83d"]))


async def test_a_body_is_read_up_to_its_limit_and_no_further() -> None:
    read = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 10

    with pytest.raises(BodyTooLarge, match="longer than 25 bytes"):
        await read_body(chunks(), 25)
    assert read == 3
