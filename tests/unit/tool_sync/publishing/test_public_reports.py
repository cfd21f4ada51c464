"""Definitions as they broke elsewhere, each with the report of it: none passes here, and each is told what to do."""

from typing import Any

import pytest

from .files import DIRECTIONS, property_of, said

NAME = "name: is no name that Vapi takes; write 1 to 64 letters, digits, '_' and '-'"
NOT_ASKED = "parameters.properties: must be an object of schemas; write it, as {} where there is none"
NOT_OBJECT = "parameters.type: must be 'object'; write 'object'"
ONE = "parameters.properties.one"
TYPES = "'string', 'number', 'integer', 'boolean', 'array' or 'object'"

REPORTS: list[tuple[dict[str, Any], list[str]]] = [
    # github.com/sigoden/aichat/pull/1049: OpenAI refuses "array schema missing items".
    (property_of(type="array"), [f"{ONE}.items: is missing; write the schema of one item"]),
    # github.com/campfirein/byterover-cli/issues/42: a list of types, one of them an array without items.
    (property_of(type=["string", "array"]), [f"{ONE}.type: must be one type, as text; write {TYPES}"]),
    # github.com/NobleMathews/mayil-ai-tests/issues/64: a name with a space passes the start and fails at each call.
    (DIRECTIONS | {"name": "Google Search"}, [NAME]),
    # github.com/brekkylab/ailoy/pull/109: a name that is prefixed by a path.
    (DIRECTIONS | {"name": "maps/directions"}, [NAME]),
    # github.com/getsentry/sentry-mcp/issues/106: a description of 1,103 characters.
    (DIRECTIONS | {"description": "d" * 1103}, ["description: has 1,103 characters; write 1 to 999"]),
    # github.com/spring-projects/spring-ai/issues/4776: "object schema missing properties", of a tool without any.
    (DIRECTIONS | {"parameters": {"type": "object"}}, [NOT_ASKED]),
    # github.com/alibaba/spring-ai-alibaba/issues/4576: parameters that are one text.
    (DIRECTIONS | {"parameters": {"type": "string", "properties": {}}}, [NOT_OBJECT]),
    # github.com/mcowger/generic-copilot/issues/40: parameters {}.
    (DIRECTIONS | {"parameters": {}}, [NOT_OBJECT, NOT_ASKED]),
    # github.com/googleapis/python-genai/issues/1122: $defs and $ref, as pydantic writes them.
    (
        DIRECTIONS
        | {"parameters": {"type": "object", "$defs": {}, "properties": {"one": {"$ref": "#/$defs/City"}}}},
        [
            "parameters.$defs: is no key of a tool's parameters; write each schema where it is used",
            f"{ONE}.type: must be one type, as text; write {TYPES}",
            f"{ONE}.$ref: is not of the subset; write the schema itself in its place",
        ],
    ),
    # github.com/cecli-dev/cecli/issues/281: oneOf at the top.
    (
        DIRECTIONS | {"parameters": {"type": "object", "properties": {}, "oneOf": []}},
        [
            "parameters.oneOf: is no key of a tool's parameters;"
            " write one schema; say the alternatives in the description"
        ],
    ),
    # github.com/Laisky/one-api/issues/60: Gemini does not know additionalProperties.
    (
        DIRECTIONS | {"parameters": {"type": "object", "properties": {}, "additionalProperties": False}},
        [
            "parameters.additionalProperties: is no key of a tool's parameters;"
            " leave it out: what the model adds is passed over"
        ],
    ),
    # github.com/metoro-io/mcp-golang/issues/119: $schema names a draft that the reader does not have.
    (
        DIRECTIONS | {"parameters": {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
                                     "properties": {}}},
        ["parameters.$schema: is no key of a tool's parameters; leave it out"],
    ),
    # docs.vapi.ai/tools/static-variables-and-aliases: Liquid in a static parameter is replaced at each call.
    (
        DIRECTIONS | {"static_parameters": {"callerNumber": "{{ customer.number }}"}},
        ["static_parameters.callerNumber: holds {{, which Vapi replaces during a call; write the text itself"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("document", "expected"), REPORTS)
async def test_what_broke_elsewhere_is_refused_here(document: dict[str, Any], expected: list[str]) -> None:
    assert await said(document) == expected
