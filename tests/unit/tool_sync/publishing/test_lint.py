"""The lint of a tool's file: what is right passes, and all that is wrong is said at once."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tool_sync.publishing.lint import lint
from tool_sync.publishing.resolving import Resolve
from tool_sync.publishing.tool_file import KEYS, tool_of

from .files import BOOKING, DIRECTIONS, SCHEMA, places, property_of, report_of, said


def nested(depth: int) -> dict[str, Any]:
    """A schema of objects, one in the other."""
    return {"type": "string"} if depth == 0 else {"type": "object", "properties": {"a": nested(depth - 1)}}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"description": "d" * 999},
        {"name": "a" * 64},
        {"timeout_seconds": 300},
        {"tier": "enterprise"},
        {"static_parameters": {"region": "eu", "limits": {"a": [1, 2.5, None, True]}}},
        {"messages": [{"type": "request-response-delayed", "content": "Still here.", "timingMilliseconds": 100}]},
        {"messages": [{"type": "request-complete", "content": "Done.", "role": "system"}]},
        {"messages": [{"type": "request-start", "content": "One moment.", "blocking": True}]},
        {"parameters": {"type": "object", "properties": {}}},
        {"parameters": nested(5)},
    ],
)
async def test_a_tool_that_is_right_has_no_problem(change: dict[str, Any]) -> None:
    assert await said(DIRECTIONS | change) == []


async def test_the_example_in_the_decision_is_right() -> None:
    page = Path(__file__).parents[4] / "docs/adr/0037-a-tool-is-a-file-and-its-host-is-public.md"
    example = page.read_text().split("```toml\n")[1].split("```")[0]
    document = tomllib.loads(example)
    assert await said(document) == []
    assert set(KEYS) - document.keys() == {"async"}  # every other key is shown


async def test_all_problems_come_at_once_in_the_order_of_the_keys() -> None:
    document = {
        "static_parameters": {"organization_id": "x", "destination": "y"},
        "messages": [{"type": "request-started", "content": "x"}],
        "server_url": "http://10.0.0.1/",
        "tier": "profesional",
        "timeout_seconds": 301,
        "parameters": {"type": "object", "properties": {"destination": {"type": "text"}}, "required": ["away"]},
        "description": "",
        "contract": 0,
        "name": "send directions",
    }
    assert await said(document) == [
        "name: is no name that Vapi takes; write 1 to 64 letters, digits, '_' and '-'",
        "description: says nothing; write 1 to 999",
        "parameters.properties.destination.type: must be one type, as text; write 'string', 'number', 'integer',"
        " 'boolean', 'array' or 'object'",
        "parameters.required: names 'away', which is no property; write 'destination'",
        "timeout_seconds: is outside of what Vapi takes; write 1 to 300",
        "tier: 'profesional' is no tier; write 'professional'",
        "server_url: leads to 10.0.0.1, which is private; write a host whose every address is public",
        "server_url: is not encrypted: patients' data go there; write https",
        "messages[0].type: is none that Vapi has; write 'request-start'",
        "static_parameters.organization_id: is set by tool-sync for each clinic; leave it out",
        "static_parameters.destination: is a call's argument, too, and would replace it; rename one of the two",
    ]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": ""}, "name"),
        ({"name": "a" * 65}, "name"),
        ({"name": "book\n"}, "name"),
        ({"description": " "}, "description"),
        ({"description": "d" * 1000}, "description"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"tier": "gold"}, "tier"),
        ({"contract": -1}, "contract"),
        ({"parameters": None}, "parameters"),
        ({"server_url": None}, "server_url"),
        ({"static_parameters": {"definition_version": 2}}, "static_parameters.definition_version"),
        ({"static_parameters": {"contract": 2}}, "static_parameters.contract"),
        ({"static_parameters": {"with space": 2}}, "static_parameters.with space"),
        ({"static_parameters": {"a": ["{{ customer.number }}"]}}, "static_parameters.a[0]"),
        ({"static_parameters": {"{% a %}": 1}}, "static_parameters"),
        ({"note": "{{x}}"}, "note"),
        ({"description": "a\x00b"}, "description"),
        ({"description": "\ud83d"}, "description"),
        ({"messages": [{"type": "request-start"}]}, "messages[0].content"),
        ({"messages": [{"type": "request-start", "content": " "}]}, "messages[0].content"),
        ({"messages": [{"type": "request-start", "content": "c" * 1001}]}, "messages[0].content"),
        ({"messages": [{"type": "request-start", "content": "c", "role": "system"}]}, "messages[0].role"),
        ({"messages": [{"type": "request-failed", "content": "c", "role": "user"}]}, "messages[0].role"),
        ({"messages": [{"type": "request-start", "content": "{{a}}"}]}, "messages[0].content"),
        (
            {"messages": [{"type": "request-response-delayed", "content": "c", "timingMilliseconds": 99}]},
            "messages[0].timingMilliseconds",
        ),
        ({"messages": [{"type": "request-start", "content": "c"}] * 21}, "messages"),
        ({"parameters": {**SCHEMA, "properties": {"contract": {"type": "string"}}, "required": []}},
         "parameters.properties.contract"),
        ({"parameters": nested(6)}, "parameters.properties.a.properties.a.properties.a.properties.a.properties.a"),
        ({"parameters": {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(101)}}},
         "parameters"),
        ({"parameters": {"type": "object", "properties": {"a b": {"type": "string"}}}}, "parameters.properties.a b"),
        ({"parameters": {"type": "object", "properties": {}, "required": "a"}}, "parameters.required"),
        ({"parameters": {**SCHEMA, "required": ["destination", "destination"]}}, "parameters.required"),
    ],
)  # fmt: skip
async def test_each_rule_names_the_place(change: dict[str, Any], where: str) -> None:
    assert where in await places(DIRECTIONS | change)


@pytest.mark.parametrize(
    ("schema", "key"),
    [
        ({"type": "string", "minLength": 1}, "minLength"),
        ({"type": "string", "format": "phone"}, "format"),
        ({"type": "string", "pattern": "("}, "pattern"),
        ({"type": "string", "enum": []}, "enum"),
        ({"type": "string", "enum": ["a", "a"]}, "enum"),
        ({"type": "string", "enum": [1]}, "enum"),
        ({"type": "integer", "enum": ["1"]}, "enum"),
        ({"type": "string", "description": ""}, "description"),
        ({"type": "string", "items": {"type": "string"}}, "items"),
        ({"type": "array", "items": []}, "items"),
        ({"type": "object"}, "properties"),
    ],
)
async def test_a_property_has_the_keys_of_its_type_alone(schema: Mapping[str, Any], key: str) -> None:
    assert await places(property_of(**schema)) == [f"parameters.properties.one.{key}"]


async def test_async_is_a_warning_and_no_problem() -> None:
    report = await report_of(DIRECTIONS | {"async": True})
    assert (report.problems, [warning.where for warning in report.warnings]) == ((), ["async"])


async def test_a_host_that_does_not_answer_is_a_problem() -> None:
    async def nobody(_: str) -> Any:
        raise TimeoutError

    async def nothing(_: str) -> Any:
        return ()

    silent: tuple[Resolve, ...] = (nobody, nothing)
    for resolve in silent:
        (problem,) = (await lint(tool_of(DIRECTIONS), resolve, loopback_allowed=False)).problems
        assert problem.what == "names directions.example, which does not resolve"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "required", "enum", "$ref"]) | st.text(), inner
        )
    ),
    max_leaves=12,
)
TYPES = st.sampled_from(["string", "array", "object", "integer"])
SCHEMAS = st.recursive(
    JSON,
    lambda inner: st.fixed_dictionaries(
        {"type": TYPES | JSON}, optional={"properties": st.dictionaries(st.text(), inner), "items": inner, "enum": JSON}
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON) | {"other": JSON}), SCHEMAS)
async def test_whatever_a_file_says_is_judged_and_nothing_breaks(document: dict[str, Any], schema: Any) -> None:
    for base in (document, DIRECTIONS | document, BOOKING | {"parameters": schema}):
        report = await report_of(base)
        assert len(set(report.problems)) == len(report.problems)
        assert all(problem.where and problem.what and problem.instead for problem in report.problems)
