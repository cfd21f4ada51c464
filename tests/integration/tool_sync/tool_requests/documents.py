"""Rows of ``system_tools`` as a request has them, and what the lint and a statement say of them."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
from tests.unit.tool_sync.publishing.files import PUBLIC

from tool_sync.publishing.addresses import Address
from tool_sync.publishing.tool_row import lint_row

Owner = "asyncpg.Connection[asyncpg.Record]"

DIRECTIONS: Final[Mapping[str, Any]] = {
    "name": "sendDirections",
    "contract": 0,
    "schema": {
        "description": "Sends the caller the way to the clinic.",
        "parameters": {
            "type": "object",
            "properties": {"destination": {"type": "string", "description": "Where the caller wants to go."}},
            "required": ["destination"],
        },
    },
    "webhook_url": "https://directions.example/tool",
    "tier": "basic",
    "asynchronous": False,
    "timeout_seconds": 20,
    "messages": [],
    "static_parameters": {},
}

LATER: Final = tuple(
    map(
        re.compile,
        (
            # The release knows its contracts, and asks them.
            r"contract: is none that assistant-api has",
            r"schema\.parameters\.required: lacks .*, which the contract needs",
            r"schema\.parameters\.properties\..* (allows|matches no example)",
            # Python judges patterns, and canonical JSON is what is hashed.
            r".*: is no regular expression",
            r"schema\.parameters: has more than",
            # Somebody has to be asked, spells an address as Python does, or knows whether loopback is allowed.
            r"webhook_url: names .* does not resolve",
            r"webhook_url: names \[.*, which is no address",
            r"webhook_url: names .*, which (some read as|is no address)",
            r"webhook_url: leads to (127\.|.*:)",
            r"webhook_url: is not encrypted",
            # What is printed in Python's quotes, and is not plain ASCII; or is not even text.
            r".*[^ -~…—]",
            r".*\.format: is none that Vapi has",
            r"messages\[\d+\]\.type: is none that Vapi has",
        ),
    )
)
"""Problems that a statement may leave to the service, where they become the state ``refused``."""


def row_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The row that says what a file says."""
    schema = {key: document[key] for key in ("description", "parameters") if key in document}
    return {
        **DIRECTIONS,
        "name": document["name"],
        "contract": document["contract"],
        "schema": schema,
        "webhook_url": document.get("server_url"),
        "tier": document.get("tier", "basic"),
        "asynchronous": document.get("async", False),
        "timeout_seconds": document.get("timeout_seconds", 20),
        "messages": document.get("messages", []),
        "static_parameters": document.get("static_parameters", {}),
    }


async def by_statement(owner: "asyncpg.Connection[asyncpg.Record]", row: Mapping[str, Any]) -> set[str]:
    """What a statement says of the row."""
    rows = await owner.fetch("SELECT tool_problems($1::jsonb) AS problem", json.dumps(row))
    return {found["problem"] for found in rows}


async def by_lint(row: Mapping[str, Any], *addresses: Address) -> set[str]:
    """What the lint says of it, where every host has these addresses, by default a public one."""

    async def resolve(_: str) -> tuple[Address, ...]:
        return addresses or (PUBLIC,)

    return {str(problem) for problem in (await lint_row(row, resolve, loopback_allowed=False)).problems}


def is_later(problem: str) -> bool:
    """Whether a statement may leave the problem to the service."""
    return any(pattern.match(problem) for pattern in LATER)
