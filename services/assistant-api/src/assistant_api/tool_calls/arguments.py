"""Checking a call: whose it is, which definition it follows, and whether its arguments fit. Pure.

The tenant is the static parameter `organization_id`: Vapi puts the static parameters of the tool over what the
language model filled in, so that the model can neither see nor choose it. There is no other way to name one.

The definition is that of the static parameter `definition_version` where this release knows it. A version that was
published at run time is answered by the contract that it was published with (ADR 47), and where nobody has told us of
it yet, by that of the static parameter `contract` (ADR 38): a tool that somebody has edited at Vapi names any.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from assistant_api.appointments.text import fault_in
from assistant_api.tool_calls.payload import ToolCall
from assistant_api.tool_calls.refusals import Fault, explained, fault_of
from zerotouch_contracts.arguments import ToolArguments
from zerotouch_contracts.text import folded, uuid_of
from zerotouch_contracts.tools import (
    ANSWERED,
    CONTRACT_PARAMETER,
    FIRST_VERSION_WITH_CONTRACT,
    ORGANIZATION_PARAMETER,
    STATIC_PARAMETERS,
    VERSION_PARAMETER,
    ToolDefinition,
)

_NAMES: Final = frozenset(definition.name for definition in ANSWERED)
_BY_VERSION: Final = {(definition.name, definition.version): definition for definition in ANSWERED}
_BY_CONTRACT: Final = {(definition.name, definition.contract): definition for definition in ANSWERED}
_NUMBER_MAX: Final = 10**9 - 1
_PUNCTUATION: Final = re.compile(r"[^\w+]")


@dataclass(frozen=True, slots=True)
class Foreign:
    """A call that is nobody's, or not of a tool of ours: nothing is written about it."""

    explanation: str


@dataclass(frozen=True, slots=True)
class Unfit:
    """An organization's call of one of our tools, with which nothing can be done; ``code`` says why."""

    org_id: UUID
    tool: str
    version: int | None
    code: str
    explanation: str
    asked: Any
    """The arguments as they came."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A call that can be tried. ``version`` is the tool's; ``definition`` may be another version of its contract."""

    org_id: UUID
    definition: ToolDefinition
    version: int
    arguments: ToolArguments

    @property
    def asked(self) -> Any:
        """The validated values, as JSON; of a phone number only what is dialled."""
        values = self.arguments.model_dump(mode="json")
        return {**values, "patient_phone": _PUNCTUATION.sub("", folded(values["patient_phone"]))}


Checked = Foreign | Unfit | Fit
PublishedContracts = Callable[[str, int], int | None]


def _nothing_is_known(_name: str, _version: int) -> None:
    return None


def check(call: ToolCall, published: PublishedContracts = _nothing_is_known) -> Checked:
    """What a call asks for. Explanations name arguments and never repeat what was in them.

    ``published``: the contract of a tool's version, 0 where another service answers it; None where it is not known.
    """
    if call.name not in _NAMES:
        return Foreign("There is no such tool here, so nothing was done. Go on without it.")
    if call.arguments is None:
        return Foreign("The arguments are not a JSON object, so nothing was done. Call the tool again with all values.")
    org_id = uuid_of(call.arguments.get(ORGANIZATION_PARAMETER))
    if org_id is None:
        return Foreign("The clinic of this assistant is not known, so nothing was done. Say that the clinic will call.")
    version = _number(call.arguments.get(VERSION_PARAMETER))
    definition = None if version is None else _definition(call.name, version, call.arguments, published)
    if version is None or definition is None:
        explanation = "This tool is out of date, so nothing was done. Say that the clinic will call back."
        return Unfit(org_id, call.name, None, "unknown_version", explanation, call.arguments)
    filled_in = {key: value for key, value in call.arguments.items() if key not in STATIC_PARAMETERS}
    return _validated(org_id, definition, version, filled_in)


def contracts_of(name: str) -> tuple[int, ...]:
    """The contracts of a tool's name that this release answers, in order; () where it has no such tool."""
    return tuple(sorted(contract for known, contract in _BY_CONTRACT if known == name))


def check_contract(org_id: UUID, name: str, contract: int, given: Mapping[str, Any]) -> Fit | Unfit:
    """What a call of a tool with this contract asks for, checked as :func:`check` does. It is one of `contracts_of`."""
    definition = _BY_CONTRACT[name, contract]
    filled_in = {key: value for key, value in given.items() if key not in STATIC_PARAMETERS}
    return _validated(org_id, definition, definition.version, filled_in)


def _definition(
    name: str, version: int, given: Mapping[str, Any], published: PublishedContracts
) -> ToolDefinition | None:
    """What answers a version: one of its contract, as a version's number may be one that was published at run time.

    What was published is so whatever the call says. Otherwise, of a version that may be that of a tool without the
    parameter its own definition: there the contract would be the model's word.
    """
    if (told := published(name, version)) is not None:
        return _BY_CONTRACT.get((name, told))
    if version < FIRST_VERSION_WITH_CONTRACT:
        return _BY_VERSION.get((name, version))
    contract = _number(given.get(CONTRACT_PARAMETER))
    return None if contract is None else _BY_CONTRACT.get((name, contract))


def _validated(org_id: UUID, definition: ToolDefinition, version: int, filled_in: Mapping[str, Any]) -> Fit | Unfit:
    try:
        arguments = definition.arguments.model_validate(filled_in)
    except ValidationError as error:
        items = error.errors(include_input=False, include_url=False, include_context=False)
        faults = [fault_of(item) for item in items]
    else:
        faults = _faults(arguments)
        if not faults:
            return Fit(org_id, definition, version, arguments)
    return Unfit(org_id, definition.name, version, "invalid_arguments", explained(faults), filled_in)


def _faults(arguments: ToolArguments) -> list[Fault]:
    names = type(arguments).model_fields
    found = [
        (names[name].alias or name, fault_in(value, lines=name == "notes"))
        for name, value in arguments
        if isinstance(value, str)
    ]
    return [Fault(name, fault) for name, fault in found if fault is not None]


def _number(given: object) -> int | None:
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) <= 9:
        given = int(given)
    return given if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= _NUMBER_MAX else None
