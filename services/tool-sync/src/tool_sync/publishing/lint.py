"""Everything that is wrong with a tool's file, at once, before anything is sent."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tool_sync.domain.fleet.decide import TIERS
from tool_sync.domain.overlay import DESCRIPTION_MAX
from tool_sync.publishing.contract_rules import (
    argument_problems,
    contract_of,
    contract_problems,
    parameters_of,
    unread_properties,
)
from tool_sync.publishing.lint_problem import LintProblem, is_within, nearest
from tool_sync.publishing.message_rules import message_problems
from tool_sync.publishing.open_rules import open_problems
from tool_sync.publishing.resolving import Resolve
from tool_sync.publishing.schema_rules import PROPERTY_NAME, schema_problems
from tool_sync.publishing.server_url import address_problems, read_server_url
from tool_sync.publishing.text_rules import text_problems
from tool_sync.publishing.tool_file import KEYS, FileReading, ToolFile
from zerotouch_contracts.tools import STATIC_PARAMETERS

NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
TIMEOUT_SECONDS: Final = (1, 300)
"""Of Vapi's published document (OpenAPI of 2026-08-20, ``server.timeoutSeconds``)."""
_ASYNC: Final = LintProblem(
    "async",
    "is true: the model never hears the answer, and a caller is told what may not be so",
    "write false where the answer matters",
)


@dataclass(frozen=True, slots=True)
class LintReport:
    """What keeps a file from being published, in the order of its keys, and what its writer should know beside it."""

    problems: tuple[LintProblem, ...]
    warnings: tuple[LintProblem, ...] = ()


async def lint(reading: FileReading, resolve: Resolve, *, loopback_allowed: bool) -> LintReport:
    """Check what a file says. ``resolve`` is asked for the addresses of its host, and for nothing else."""
    tool = reading.tool
    if tool is None:
        return LintReport(reading.problems)
    # What could not be read is said once, not again by a rule that saw its default.
    unread = [problem.where for problem in reading.problems]
    found = [problem for problem in _problems(tool) if not any(is_within(problem.where, where) for where in unread)]
    if tool.server_url is not None:
        found += await server_problems(tool.server_url, resolve, loopback_allowed=loopback_allowed)
    order = {key: index for index, key in enumerate(KEYS)}
    problems = sorted([*reading.problems, *found], key=lambda problem: order.get(_key(problem), -1))
    return LintReport(tuple(dict.fromkeys(problems)), tuple(_warnings(tool, valid=not problems)))


def _key(problem: LintProblem) -> str:
    return re.split(r"[.\[]", problem.where, maxsplit=1)[0]


def _problems(tool: ToolFile) -> list[LintProblem]:
    found = [*_field_problems(tool), *contract_problems(tool)]
    found += [*_static_problems(tool), *_reserved_arguments(tool)]
    found += [*message_problems(tool.messages), *open_problems(tool)]
    for key in KEYS:
        found += text_problems(getattr(tool, "asynchronous" if key == "async" else key), key)
    if tool.parameters is None:
        return found
    if wrong := schema_problems(tool.parameters):
        return [*found, *wrong]
    contract = contract_of(tool)
    return found if contract is None else [*found, *argument_problems(tool.parameters, contract)]


def _field_problems(tool: ToolFile) -> Iterator[LintProblem]:
    if not NAME.fullmatch(tool.name):
        yield LintProblem("name", "is no name that Vapi takes", "write 1 to 64 letters, digits, '_' and '-'")
    if not tool.description.strip() or len(tool.description) > DESCRIPTION_MAX:
        what = f"has {len(tool.description):,} characters" if tool.description.strip() else "says nothing"
        yield LintProblem("description", what, f"write 1 to {DESCRIPTION_MAX}")
    if not TIMEOUT_SECONDS[0] <= tool.timeout_seconds <= TIMEOUT_SECONDS[1]:
        instead = f"write {TIMEOUT_SECONDS[0]} to {TIMEOUT_SECONDS[1]}"
        yield LintProblem("timeout_seconds", "is outside of what Vapi takes", instead)
    if tool.tier not in TIERS:
        yield LintProblem("tier", f"{tool.tier!r} is no tier", nearest(tool.tier, TIERS))


def _static_problems(tool: ToolFile) -> Iterator[LintProblem]:
    """A static parameter beats the model's argument of the same name at Vapi: the caller's word would be lost."""
    contract = contract_of(tool)
    schemas = [schema for schema in (tool.parameters, contract and contract.schema) if schema]
    asked = {name for schema in schemas if isinstance(schema.get("properties"), dict) for name in schema["properties"]}
    for name in tool.static_parameters:
        where = f"static_parameters.{name}"
        if name in STATIC_PARAMETERS:
            yield LintProblem(where, "is set by tool-sync for each clinic", "leave it out")
        elif name in asked:
            yield LintProblem(where, "is a call's argument, too, and would replace it", "rename one of the two")
        elif not PROPERTY_NAME.fullmatch(name):
            yield LintProblem(where, "is no name", "write 1 to 64 letters, digits, '_', '.' and '-'")


def _reserved_arguments(tool: ToolFile) -> Iterator[LintProblem]:
    properties = (tool.parameters or {}).get("properties")
    for name in properties if isinstance(properties, dict) else ():
        if name in STATIC_PARAMETERS:
            what = "is set by tool-sync for each clinic, and would replace what the model sends"
            yield LintProblem(f"parameters.properties.{name}", what, "rename it")


async def server_problems(url: str, resolve: Resolve, *, loopback_allowed: bool) -> list[LintProblem]:
    """What is wrong with where something is sent to: how the URL is written, and each address of its host."""
    read = read_server_url(url)
    if (host := read.host) is None:
        return list(read.problems)
    try:
        addresses = (host.address,) if host.address is not None else await resolve(host.name)
    except OSError as error:
        return [*read.problems, *address_problems(host, error, loopback_allowed=loopback_allowed)]
    return [*read.problems, *address_problems(host, addresses, loopback_allowed=loopback_allowed)]


def _warnings(tool: ToolFile, *, valid: bool) -> Iterator[LintProblem]:
    if tool.asynchronous:
        yield _ASYNC
    contract, schema = contract_of(tool), parameters_of(tool)
    if valid and contract is not None and schema is not None:
        for name in unread_properties(schema, contract):
            what = "is asked of callers, and the contract does not read it"
            yield LintProblem(f"parameters.properties.{name}", what, "leave it out")
