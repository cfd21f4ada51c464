"""A row of ``system_tools`` is read as the file that says the same, and its problems name the row's columns."""

from typing import Any

import pytest

from tool_sync.publishing.addresses import Address
from tool_sync.publishing.tool_file import tool_of
from tool_sync.publishing.tool_row import lint_row, tool_of_row

from .files import DIRECTIONS, PUBLIC, SCHEMA

ROW: dict[str, Any] = {
    "name": "sendDirections",
    "contract": 0,
    "schema": {"name": "sendDirections", "description": DIRECTIONS["description"], "parameters": SCHEMA},
    "webhook_url": DIRECTIONS["server_url"],
    "tier": "basic",
    "asynchronous": False,
    "timeout_seconds": 20,
    "messages": [],
    "static_parameters": {},
}


async def said(row: dict[str, Any]) -> list[str]:
    async def resolve(_: str) -> tuple[Address, ...]:
        return (PUBLIC,)

    report = await lint_row(row, resolve, loopback_allowed=False)
    return [str(one) for one in (*report.problems, *report.warnings)]


def test_a_row_says_what_the_file_says() -> None:
    assert tool_of_row(ROW, "why").tool == tool_of(DIRECTIONS | {"note": "why"}).tool


async def test_a_row_that_is_right_has_no_problem() -> None:
    assert await said(ROW) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"schema": []}, "schema"),
        ({"schema": {"description": "x", "parameters": SCHEMA, "strict": True}}, "schema.strict"),
        ({"schema": {"name": "other", "description": "x", "parameters": SCHEMA}}, "schema.name"),
        ({"schema": {"description": "", "parameters": SCHEMA}}, "schema.description"),
        ({"schema": {"description": "x", "parameters": {"type": "object"}}}, "schema.parameters.properties"),
        ({"webhook_url": "ftp://a.example"}, "webhook_url"),
        ({"asynchronous": True}, "asynchronous"),
        ({"messages": [{"type": "x"}]}, "messages[0].type"),
        ({"static_parameters": {"contract": 1}}, "static_parameters.contract"),
    ],
)
async def test_a_problem_names_the_column(change: dict[str, Any], place: str) -> None:
    assert (await said(ROW | change))[0].partition(":")[0] == place
