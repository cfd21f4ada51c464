"""One list of problems: a statement refuses what the lint refuses, in its words; what it leaves is declared."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.tool_sync.publishing.test_public_reports import REPORTS
from tests.unit.tool_sync.publishing.test_server_url import NOT_PUBLIC

from tool_sync.publishing.lint_problem import nearest

from .documents import DIRECTIONS, by_lint, by_statement, is_later, row_of

Connection = "asyncpg.Connection[asyncpg.Record]"
EASY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def with_schema(**changes: Any) -> dict[str, Any]:
    """The directions with another schema."""
    return {**DIRECTIONS, "schema": {**DIRECTIONS["schema"], **changes}}


def with_property(**schema: Any) -> dict[str, Any]:
    """The directions with one parameter of this schema."""
    return with_schema(parameters={"type": "object", "properties": {"one": schema}})


def nested(depth: int) -> dict[str, Any]:
    return {"type": "string"} if depth == 0 else {"type": "object", "properties": {"a": nested(depth - 1)}}


BAD: list[dict[str, Any]] = [
    {**DIRECTIONS, "name": "send directions"},
    {**DIRECTIONS, "name": ""},
    {**DIRECTIONS, "name": "a\n"},
    {**DIRECTIONS, "contract": -1},
    {**DIRECTIONS, "contract": 0, "webhook_url": None},
    {**DIRECTIONS, "contract": 2},
    {**DIRECTIONS, "tier": "profesional"},
    {**DIRECTIONS, "tier": "gold"},
    {**DIRECTIONS, "tier": "it's {{ gold }}"},
    {**DIRECTIONS, "timeout_seconds": 0},
    {**DIRECTIONS, "timeout_seconds": 301},
    {**DIRECTIONS, "schema": None},
    {**DIRECTIONS, "schema": [1]},
    {**DIRECTIONS, "schema": {}},
    {**DIRECTIONS, "schema": {"type": "function", "function": {}}},
    with_schema(name="another"),
    with_schema(description=""),
    with_schema(description="\u2003\u00a0\n"),
    with_schema(description="d" * 1000),
    with_schema(description=5),
    with_schema(description=2**53 + 1),
    with_schema(description=[2**53 + 1]),
    with_schema(description="Greets {{ customer.name }}"),
    with_schema(parameters=None),
    with_schema(parameters="object"),
    with_schema(parameters={}),
    with_schema(parameters={"type": "object", "properties": {"organization_id": {"type": "string"}}}),
    with_schema(parameters={"type": "object", "properties": {"a": nested(5)}}),
    with_schema(parameters={"type": "object", "properties": {"a": nested(40)}}),
    with_schema(parameters={"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(101)}}),
    with_schema(parameters={"type": "object", "properties": {}, "required": ["x"]}),
    with_schema(
        parameters={"type": "object", "properties": {"ab": {"type": "string"}}, "required": ["ac", "ab", "ab"]}
    ),
    with_schema(parameters={"type": "object", "properties": {"a b": {"type": "string"}}, "required": "a"}),
    with_property(type="string", enum=[]),
    with_property(type="string", enum=["a", "a"]),
    with_property(type="string", enum=["a", 1]),
    with_property(type="string", format="datetime"),
    with_property(type="string", format=7),
    with_property(type="string", pattern="("),
    with_property(type="array"),
    with_property(type="array", items={"type": "strng"}),
    with_property(type=["string", "null"], nullable=True, anyOf=[]),
    with_property(type="integer", minimum=1, title="One", description=" "),
    with_property(type="object", properties={}, additionalProperties=False, requierd=[]),
    with_property(type="string", enum=[12345678901234567890]),
    {**DIRECTIONS, "messages": {}},
    {**DIRECTIONS, "messages": ["hello"]},
    {**DIRECTIONS, "messages": [{"type": "request-started", "content": "x"}]},
    {**DIRECTIONS, "messages": [{}]},
    {**DIRECTIONS, "messages": [{"type": "request-start", "contents": [], "blocking": "yes"}]},
    {**DIRECTIONS, "messages": [{"type": "request-complete", "content": " ", "role": "user"}]},
    {**DIRECTIONS, "messages": [{"type": "request-response-delayed", "content": "x", "timingMilliseconds": 99}]},
    {**DIRECTIONS, "messages": [{"type": "request-failed", "content": "{% if %}"}] * 21},
    {**DIRECTIONS, "static_parameters": []},
    {**DIRECTIONS, "static_parameters": {"contract": 1, "destination": 2, "a b": 3, "since": 2**60, "t": "{{x}}"}},
    {**DIRECTIONS, "static_parameters": {"a": json.loads("[" * 30 + "]" * 30)}},
]
URLS = [
    "http://10.0.0.1/", "https://10.0.0.1/x", "https://169.254.169.254/latest", "ftp://a.example/", "a.example",
    "https://a.example/#x", "https://u:p@a.example/", "https://u@10.0.0.1:0/", "https://a.example:65536/",
    "https://a.example:x/", "https:///x", "https://a..example/", "https://-a.example/", "https://a.example./x",
    "https://münchen.example/", "https://a.example/ b", f"https://{'a' * 64}.example/", "https://127.0.0.1/",
    "https://0x7f.0.0.1/", "https://2130706433/", "https://[::1]/", "https://[1::2::3]/", "https://{{host}}/",
    "http://a.example/", "https://a_b.example/", "HTTPS://A.Example:8443/x?y=z", "https://8.8.8.8/", "https://",
    "https://a.example/\n", "https://1.2.3.4.5/", "https://01.2.3.4/", "https://255.255.255.255/", "",
]  # fmt: skip


async def require_same(
    owner: "asyncpg.Connection[asyncpg.Record]", row: Mapping[str, Any]
) -> tuple[set[str], set[str]]:
    """Both lists, once they are one list. The row is as PostgreSQL keeps it: it sorts keys."""
    row = json.loads(await owner.fetchval("SELECT $1::jsonb::text", json.dumps(row)))
    said, found = await by_statement(owner, row), await by_lint(row)
    assert said <= found, said - found
    assert {problem for problem in found if not is_later(problem)} <= said, found - said
    return said, found


@pytest.mark.parametrize("row", BAD, ids=range(len(BAD)))
async def test_what_is_wrong_is_said_by_both(owner: "asyncpg.Connection[asyncpg.Record]", row: dict[str, Any]) -> None:
    _, found = await require_same(owner, row)
    assert found


async def test_urls_are_read_alike(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    hosts = [f"[{text}]" if ":" in text else text for text in NOT_PUBLIC]
    for url in (*URLS, *(f"https://{host}/x" for host in hosts)):
        await require_same(owner, {**DIRECTIONS, "webhook_url": url})


async def test_what_broke_elsewhere_is_refused_by_the_statement_alone(
    owner: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    for document, _ in REPORTS:
        said, found = await require_same(owner, row_of(document))
        assert said == found, document


async def test_what_is_right_is_refused_by_neither(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    spoken = [{"type": "request-response-delayed", "content": "Still here.", "timingMilliseconds": 100.5}]
    for change in (
        {},
        {"messages": spoken},
        {"static_parameters": {"region": "eu", "n": {"a": [1, 2.5, None, True]}}},
        {"schema": {**DIRECTIONS["schema"], "name": "sendDirections"}},
        {"name": "bookClinicAppointment", "contract": 2, "webhook_url": None, "schema": {"description": "Books."}},
        {"timeout_seconds": 300, "tier": "enterprise"},
        with_schema(parameters={"type": "object", "properties": {"a": nested(4)}}),
    ):
        assert await require_same(owner, {**DIRECTIONS, **change}) == (set(), set())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | st.text(max_size=6)
    | st.sampled_from(["{{", "{% x", "string", "object", "array", "date"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: "\\u0000" not in json.dumps(value) and "\\ud" not in json.dumps(value))  # fmt: skip
WORDS = st.sampled_from(
    ["type", "description", "properties", "required", "items", "enum", "format", "pattern", "$ref", "default", "titel",
     "name", "string", "object", "array", "number", "strng", "request-start", "request-failed", "content", "role", "a"]
)  # fmt: skip
SHAPED = st.recursive(
    JSON | WORDS | st.lists(WORDS, max_size=3),
    lambda inner: st.dictionaries(WORDS, inner, max_size=5) | st.lists(inner, max_size=2),
    max_leaves=12,
)
PROPERTY = st.recursive(
    st.fixed_dictionaries(
        {"type": WORDS}, optional={"enum": JSON, "format": WORDS | JSON, "description": JSON | WORDS}
    ),
    lambda inner: (
        st.fixed_dictionaries({"type": st.just("array"), "items": inner})
        | st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(WORDS, inner, max_size=3)},
            optional={"required": st.lists(WORDS, max_size=3) | JSON},
        )
    ),
    max_leaves=6,
)
PARAMETERS = st.fixed_dictionaries(
    {"type": st.just("object"), "properties": st.dictionaries(WORDS, PROPERTY, max_size=4)},
    optional={"required": st.lists(WORDS, max_size=3), "$defs": JSON},
)
MESSAGE = st.fixed_dictionaries(
    {"type": WORDS},
    optional={"content": JSON | WORDS, "blocking": JSON, "role": WORDS, "timingMilliseconds": JSON, "roel": JSON},
)
ROW = st.fixed_dictionaries(
    {
        "name": WORDS | st.text(max_size=4).filter(lambda text: "\x00" not in text and text.isprintable()),
        "contract": st.integers(-1, 3),
        "schema": SHAPED
        | st.fixed_dictionaries(
            {"description": JSON | WORDS, "parameters": PARAMETERS | SHAPED}, optional={"name": WORDS}
        ),
        "webhook_url": st.none() | st.sampled_from(URLS),
        "tier": WORDS | st.sampled_from(["basic", "enterprize", "Basic"]),
        "asynchronous": st.booleans(),
        "timeout_seconds": st.integers(-1, 400),
        "messages": st.lists(MESSAGE, max_size=3) | SHAPED,
        "static_parameters": st.dictionaries(WORDS, JSON, max_size=3) | SHAPED,
    }
)


@EASY
@given(row=ROW)
async def test_whatever_is_written_both_say_the_same(
    owner: "asyncpg.Connection[asyncpg.Record]", row: dict[str, Any]
) -> None:
    await require_same(owner, row)


@EASY
@given(
    name=st.text(alphabet="abcdefgrstuv$-_ '\"\\", max_size=12) | WORDS, known=st.lists(WORDS, min_size=1, max_size=15)
)
async def test_the_nearest_name_is_the_same_one(
    owner: "asyncpg.Connection[asyncpg.Record]", name: str, known: list[str]
) -> None:
    assert await owner.fetchval("SELECT tool_nearest($1, $2)", name, known) == nearest(name, known), (
        difflib.get_close_matches(name, known, n=3)
    )
