"""Documents as an owner writes them, and what the lint says of them."""

from ipaddress import ip_address
from typing import Any

from tool_sync.publishing.addresses import Address
from tool_sync.publishing.lint import LintReport, lint
from tool_sync.publishing.tool_file import tool_of

PUBLIC = ip_address("93.184.215.14")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"destination": {"type": "string", "description": "Where the caller wants to go."}},
    "required": ["destination"],
}
DIRECTIONS: dict[str, Any] = {
    "name": "sendDirections",
    "contract": 0,
    "description": "Sends the caller the way to the clinic.",
    "server_url": "https://directions.example/tool",
    "parameters": SCHEMA,
}
BOOKING: dict[str, Any] = {
    "name": "bookClinicAppointment",
    "contract": 2,
    "description": "Books an appointment at this clinic.",
}


def property_of(**schema: Any) -> dict[str, Any]:
    """The directions with one property of this schema."""
    return {**DIRECTIONS, "parameters": {"type": "object", "properties": {"one": schema}}}


async def report_of(document: Any, *addresses: Address, loopback_allowed: bool = False) -> LintReport:
    """What the lint says where every host has these addresses, by default a public one."""

    async def resolve(_: str) -> tuple[Address, ...]:
        return addresses or (PUBLIC,)

    return await lint(tool_of(document), resolve, loopback_allowed=loopback_allowed)


async def said(document: Any, *addresses: Address, loopback_allowed: bool = False) -> list[str]:
    """The problems as they are printed."""
    report = await report_of(document, *addresses, loopback_allowed=loopback_allowed)
    return [str(problem) for problem in report.problems]


async def places(document: Any, *addresses: Address) -> list[str]:
    """Where the problems are."""
    return [problem.where for problem in (await report_of(document, *addresses)).problems]
