"""Rules for a tool that assistant-api answers: what the model is told to send is what the contract takes.

The contract's argument model is asked itself, with the values of `examples`: what models do send, which is no proof.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from tool_sync.publishing.examples import NoExample, examples_of
from tool_sync.publishing.lint_problem import LintProblem, nearest
from tool_sync.publishing.tool_file import ToolFile
from zerotouch_contracts.canonical import canonical_json
from zerotouch_contracts.tools import ANSWERED

_PROPERTIES: Final = "parameters.properties"


@dataclass(frozen=True, slots=True)
class KnownContract:
    """What assistant-api takes by one contract, and the schema that says so to a model."""

    arguments: type[BaseModel]
    schema: Mapping[str, Any]


ANSWERED_CONTRACTS: Final[Mapping[tuple[str, int], KnownContract]] = {
    (definition.name, definition.contract): KnownContract(definition.arguments, definition.parameters_schema())
    for definition in ANSWERED
}
"""By tool and number, as this release of the contracts has them; the newest schema of each."""


def contract_of(tool: ToolFile) -> KnownContract | None:
    """The one by which assistant-api answers the file's tool, if it does."""
    return ANSWERED_CONTRACTS.get((tool.name, tool.contract))


def parameters_of(tool: ToolFile) -> Mapping[str, Any] | None:
    """The file's own schema, or that of its contract; None where there is neither."""
    if tool.parameters is not None:
        return tool.parameters
    contract = contract_of(tool)
    return None if contract is None else contract.schema


def contract_problems(tool: ToolFile) -> Iterator[LintProblem]:
    """Whether there is such a contract, and whether an address is named where it must be."""
    if tool.contract < 0:
        yield LintProblem("contract", "must not be negative", "write 0 where another service answers")
    elif tool.contract == 0:
        for key, value in (("parameters", tool.parameters), ("server_url", tool.server_url)):
            if value is None:
                yield LintProblem(key, "is missing", "write it, as another service answers (contract 0)")
    else:
        if tool.server_url is not None:
            what = "is named, and assistant-api answers"
            yield LintProblem("server_url", what, "leave it out, or write contract = 0")
        if contract_of(tool) is None:
            numbers = [str(number) for name, number in ANSWERED_CONTRACTS if name == tool.name]
            names = dict.fromkeys(name for name, _ in ANSWERED_CONTRACTS)
            other = f"{nearest(tool.name, names)} as the name, or 0 here where another service answers"
            instead = f"write {' or '.join(numbers)}" if numbers else other
            yield LintProblem("contract", f"is none that assistant-api has for {tool.name!r}", instead)


def argument_problems(schema: Mapping[str, Any], contract: KnownContract) -> list[LintProblem]:
    """What the schema fails to ask for, and what it asks for that the contract refuses. Of a schema of the subset."""
    return [*_not_asked_for(schema, contract), *_refused(schema, contract)]


def unread_properties(schema: Mapping[str, Any], contract: KnownContract) -> list[str]:
    """What the schema asks a caller for and the contract passes over."""
    return [name for name in schema["properties"] if name not in contract.schema["properties"]]


def _not_asked_for(schema: Mapping[str, Any], contract: KnownContract) -> list[LintProblem]:
    needed = [name for name in contract.schema["required"] if name not in schema.get("required", ())]
    return [
        LintProblem("parameters.required", f"lacks {name!r}, which the contract needs", "add it, and its property")
        for name in needed
    ]


def _refused(schema: Mapping[str, Any], contract: KnownContract) -> list[LintProblem]:
    try:
        examples = list(examples_of(schema))
    except NoExample as error:
        where = f"{_PROPERTIES}.{'.properties.'.join(error.path)}"
        return [
            LintProblem(where, "matches no example, so it cannot be checked", _as_contract(contract, error.path[0]))
        ]
    found: dict[str, LintProblem] = {}
    for example in examples:
        for name, value, why in _errors(example, contract):
            what = f"allows {canonical_json(value).decode()[:40]}, which the contract refuses ({why})"
            found.setdefault(name, LintProblem(f"{_PROPERTIES}.{name}", what, _as_contract(contract, name)))
    return list(found.values())


def _errors(example: Mapping[str, Any], contract: KnownContract) -> list[tuple[str, Any, str]]:
    try:
        contract.arguments.model_validate(example)
    except ValidationError as error:
        at = [(str(one["loc"][0]) if one["loc"] else "", one["type"]) for one in error.errors(include_input=False)]
        return [(name, example[name], why) for name, why in at if name in example]  # the others are not asked for
    return []


def _as_contract(contract: KnownContract, name: str) -> str:
    own = contract.schema["properties"].get(name)
    if own is None:
        return "leave it out"
    schema = {key: value for key, value in own.items() if key != "description"}
    return f"write {canonical_json(schema).decode()}"
