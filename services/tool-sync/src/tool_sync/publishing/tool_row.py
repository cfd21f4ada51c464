"""A tool as an operator writes it into the view ``system_tools``, read as a tool's file and linted by the same rules.

The columns have the file's values under names of their own, and ``schema`` is what Vapi calls the function. What a
statement can check of it is checked there, in the same words (``tool_problems`` in the migrations; ADR 45).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from tool_sync.publishing.json_value import json_of
from tool_sync.publishing.lint import LintReport, lint
from tool_sync.publishing.lint_problem import LintProblem, below, is_within, nearest
from tool_sync.publishing.resolving import Resolve
from tool_sync.publishing.tool_file import FileReading, tool_of

_COLUMNS: Final[Mapping[str, str]] = {
    "description": "schema.description",
    "parameters": "schema.parameters",
    "async": "asynchronous",
    "server_url": "webhook_url",
}
"""By the file's key. All others have one name in both."""
_SCHEMA_KEYS: Final = ("name", "description", "parameters")


def tool_of_row(row: Mapping[str, Any], note: str = "") -> FileReading:
    """The tool of a request's document. Its problems name the file's keys (:func:`in_columns`)."""
    schema = _schema(row)
    document = {
        "name": row["name"],
        "contract": row["contract"],
        **{key: schema[key] for key in ("description", "parameters") if key in schema},
        "async": row["asynchronous"],
        "timeout_seconds": row["timeout_seconds"],
        "tier": row["tier"],
        "messages": row["messages"],
        "static_parameters": row["static_parameters"],
        "note": note,
    }
    if row["webhook_url"] is not None:
        document["server_url"] = row["webhook_url"]
    return tool_of(document)


async def lint_row(row: Mapping[str, Any], resolve: Resolve, *, loopback_allowed: bool, note: str = "") -> LintReport:
    """Check what a row says, as :func:`~tool_sync.publishing.lint.lint` checks a file; the problems name columns."""
    report = await lint(tool_of_row(row, note), resolve, loopback_allowed=loopback_allowed)
    problems = (*_schema_problems(row), *map(in_columns, report.problems))
    return LintReport(problems, tuple(map(in_columns, report.warnings)))


def in_columns(problem: LintProblem) -> LintProblem:
    """A problem of a file, where the row has it."""
    for key, column in _COLUMNS.items():
        if is_within(problem.where, key):
            return replace(problem, where=column + problem.where.removeprefix(key))
    return problem


def _schema(row: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = row["schema"]
    return schema if isinstance(schema, dict) else {}


def _schema_problems(row: Mapping[str, Any]) -> list[LintProblem]:
    if not isinstance(row["schema"], dict):
        return [LintProblem("schema", "must be an object", "write its description and parameters")]
    schema = _schema(row)
    found = [
        LintProblem(below("schema", key), "is no key of a tool's schema", nearest(key, _SCHEMA_KEYS))
        for key in schema
        if key not in _SCHEMA_KEYS
    ]
    json_of(schema.get("description"), "schema.description", found)  # as text it would be shorter than any limit
    if schema.get("name", row["name"]) != row["name"]:
        found.append(LintProblem("schema.name", "is another name than the row's", "leave it out"))
    return found
