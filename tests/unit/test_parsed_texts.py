"""Every text that is parsed, at its worst: time grows with its length, and the largest is read or refused soon.

Expressions are in `test_expressions`, our block in a prompt in `assistant_api/test_prompt_growth`.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter
from tests.support.growth import GROWTH_MAX, growth

from assistant_api import paging
from assistant_api.appointments import patients, phones, schemas, zones
from assistant_api.http import body
from assistant_api.limits import BODY_BYTES_MAX, BODY_VALUES_MAX, WEBHOOK_VALUES_MAX
from assistant_api.problem import Problem
from assistant_api.prompt.plain import plain
from assistant_api.tool_calls import identity
from assistant_api.tool_calls.payload import read_tool_calls, without_fence
from assistant_api.webhook_signature import HmacFormat, is_signed
from tool_sync.domain import change_window, tool_setting
from tool_sync.publishing import server_url, text_rules
from tool_sync.publishing.tool_file import read_tool
from tool_sync.vapi import documents
from zerotouch_contracts import canonical, filled_in, text
from zerotouch_platform import strict_json, traceparent
from zerotouch_platform.vapi import answers
from zerotouch_platform.vapi import json as vapi_json
from zerotouch_platform.vapi.dates import http_date

CHARACTERS = 16_000
NOW = datetime(2026, 12, 3, tzinfo=UTC)
TOOLS = ("bookClinicAppointment", "cancelAppointment", "rescheduleAppointment")
UNITS = (
    " ", "\n", "0", "a", "-", "@", ".", "`", "\\", '"', "{", "[", ",", ":", "(", "1 ", "a ", "1-", "- ", "{{", "}}",
    "<!--", "a.", "[1,", '{"a":', "\u200f", "\u00a0", "\ufdfa", "\u0300", "\u30fc", "\U0001f600", "٣", "```", "&", "%",
    "//",
)  # fmt: skip


class Anything(BaseModel):
    """A body that may have anything in it."""

    voice: dict[str, object] = {}


def _of(kind: Any) -> Callable[[Any], object]:
    return TypeAdapter(kind).validate_python


def _bytes(read: Callable[[bytes], object]) -> Callable[[str], object]:
    return lambda given: read(given.encode("utf-8", "surrogatepass"))


PARSERS: dict[str, Callable[[str], object]] = {
    "text: storable": text.require_storable,
    "text: folded": text.folded,
    "text: an id": _of(text.Identifier),
    "argument: words": _of(filled_in.Words),
    "argument: phone": _of(filled_in.Phone),
    "argument: notes": _of(filled_in.Notes),
    "argument: day": _of(filled_in.Day),
    "argument: time": _of(filled_in.Time),
    "a phone number": lambda given: phones.read(given, "DE"),
    "a patient's name": patients.patient_key,
    "a time zone": _of(schemas.TimeZone),
    "a country": _of(schemas.Country),
    "opening hours": lambda given: _of(schemas.Openings)([[given, given]]),
    "services": lambda given: _of(schemas.Calendar)({"services": [given]}),
    "a zone's name": zones.is_zone,
    "a line of the block": plain,
    "a fence": without_fence,
    "a tool-call id": identity.stored_id,
    "a webhook": _bytes(read_tool_calls),
    "a webhook's arguments": lambda given: read_tool_calls(
        json.dumps({"message": {"toolCallList": [{"id": "1", "function": {"name": "x", "arguments": given}}]}}).encode()
    ),
    "a body": lambda given: body.parse(given.encode("utf-8", "surrogatepass"), Anything),
    "a body's voice": lambda given: body.parse(json.dumps({"voice": {given: [given]}}).encode(), Anything),
    "strict JSON": _bytes(strict_json.parse_json),
    "how many values": lambda given: strict_json.has_more_values(given.encode("utf-8", "surrogatepass"), 10),
    "a cursor": lambda given: paging.time_and_id(given),
    "a cursor's times": lambda given: paging.time_and_id(paging.cursor_text(given, given)),
    "a traceparent": traceparent.parent_context,
    "Retry-After": lambda given: answers.retry_after_seconds({"retry-after": given, "date": given}),
    "a date of HTTP": http_date,
    "Vapi's words": _bytes(answers.words_of),
    "Vapi's message": lambda given: answers.words_of(json.dumps({"message": [given, given]}).encode()).fields,
    "Vapi's JSON": _bytes(vapi_json.read),
    "Vapi's list": _bytes(vapi_json.read_list),
    "Vapi's model": lambda given: canonical.model_hash({"messages": [{"content": given}], given: given}),
    "ids in a document": lambda given: documents.mentioned([given, {"a": given}], {"id-1"}),
    "a reason": tool_setting.reason_problem,
    "a change window": change_window.parse_window,
    "a tool's name": lambda given: tool_setting.nearest(given[:64], TOOLS),
    "a tool's address": server_url.read_server_url,
    "a tool's texts": lambda given: text_rules.text_problems({given: [given]}, "tool"),
    "a tool's file": lambda given: read_tool(given.encode("utf-8", "surrogatepass"), "the body", is_toml=False),
    "a signature": lambda given: is_signed(
        HmacFormat(), [b"key"], {"x-signature": given, "x-timestamp": given}, b"", now=NOW
    ),
}


@pytest.mark.parametrize("name", PARSERS)
def test_it_takes_time_with_the_length_of_its_text_alone(name: str) -> None:
    for unit in UNITS:
        for end in ("", "\x00", "!"):

            def make(characters: int, unit: str = unit, end: str = end) -> str:
                return unit * (characters // len(unit)) + end

            assert growth(PARSERS[name], make, CHARACTERS) <= GROWTH_MAX, (unit, end)


@settings(max_examples=60, derandomize=True)
@given(st.lists(st.sampled_from(UNITS) | st.text(max_size=3), max_size=20).map("".join))
def test_each_answers_or_refuses_and_never_fails(given_text: str) -> None:
    for name, parse in PARSERS.items():
        try:
            parse(given_text)
        except (ValueError, RecursionError, Problem):
            pass
        except Exception as error:
            raise AssertionError(name) from error


def test_a_fence_is_taken_off_as_its_expression_said() -> None:
    expression = re.compile(r"\s*```\w*\s*(.*?)\s*```\s*", re.DOTALL)
    pieces = ("```", "`", " ", "\n", "json", "_", "é", "{", "}", "\u00a0", "\x1c")

    @settings(max_examples=1000, derandomize=True)
    @given(st.lists(st.sampled_from(pieces), max_size=10).map("".join))
    def alike(written: str) -> None:
        fenced = expression.fullmatch(written)
        assert without_fence(written) == (written if fenced is None else fenced[1])

    alike()


def _seconds(work: Callable[[], object]) -> float:
    """In this process' own time, of the best of three tries."""
    return min(_once(work) for _ in range(3))


def _once(work: Callable[[], object]) -> float:
    began = time.process_time()
    with contextlib.suppress(ValueError, RecursionError, Problem):
        work()
    return time.process_time() - began


LARGEST = {
    "a text": '{"voice":{"a":"' + "a" * (BODY_BYTES_MAX - 20) + '"}}',
    "digits": '{"voice":{"a":[' + "1," * (BODY_BYTES_MAX // 2 - 20) + "1]}}",
    "as many as are taken": '{"voice":{"a":[' + "1e9," * (BODY_VALUES_MAX - 10) + "1]}}",
    "objects": '{"voice":{"a":[' + "{}," * (BODY_BYTES_MAX // 3 - 20) + "1]}}",
    "keys": '{"voice":{' + ",".join(f'"{place}":1' for place in range(BODY_VALUES_MAX - 10)) + "}}",
    "lists in lists": '{"voice":{"a":[' + ",".join(["[" * 30 + "]" * 30] * (BODY_BYTES_MAX // 62)) + "]}}",
    "depth": '{"voice":' + "[" * 100_000 + "]" * 100_000 + "}",
}
SECONDS_MAX: Final = 0.5
"""Ten times what the slowest of them takes by itself: what was mended took up to ten seconds here."""


@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_bodies_are_read_or_refused_soon(name: str) -> None:
    raw = LARGEST[name].encode()
    assert len(raw) <= BODY_BYTES_MAX
    assert _seconds(lambda: body.parse(raw, Anything)) < SECONDS_MAX


@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_documents_of_vapis_are_read_or_refused_soon(name: str) -> None:
    raw = LARGEST[name].encode()
    assert _seconds(lambda: canonical.model_hash({"of": vapi_json.read(raw)})) < SECONDS_MAX


def test_more_values_than_are_taken_are_refused_and_a_text_of_commas_is_none() -> None:
    many = b'{"voice":{"a":[' + b"1," * BODY_VALUES_MAX + b"1]}}"
    with pytest.raises(Problem):
        body.parse(many, Anything)
    with pytest.raises(vapi_json.Unreadable):
        vapi_json.read(b"[" + b"1," * vapi_json.VALUES_MAX + b"1]")
    commas = json.dumps({"voice": {"a": ",[{" * BODY_VALUES_MAX + '\\"'}}).encode()
    assert isinstance(body.parse(commas, Anything), Anything)
    with pytest.raises(Problem):
        read_tool_calls(b'{"message":{"a":[' + b"1," * WEBHOOK_VALUES_MAX + b"1]}}")


async def test_others_are_served_while_a_long_list_is_read() -> None:
    """By what others see: the longest time between two turns of the loop, beside the whole reading."""
    item = json.dumps({"id": "one", "model": {"messages": [{"content": "x" * 200}] * 20}})
    raw = ("[" + ",".join([item] * 2000) + "]").encode()
    reading = asyncio.create_task(vapi_json.read_list_aside(raw))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert len(await reading) == 2000
    assert turns > 2


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_a_list_is_read_as_its_items_are(value: object) -> None:
    whole = json.dumps([value, value], indent=1).encode()
    assert vapi_json.read_list(whole) == vapi_json.read(whole)
