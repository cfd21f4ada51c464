"""A tool as our block describes it, whoever says what it is: a definition of this release, or what was published."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from assistant_api.prompt.plain import plain
from zerotouch_contracts.blueprint import PublishedVersion
from zerotouch_contracts.tools import ToolDefinition

AnswerHeard = Literal["always", "never", "perhaps"]
"""Whether the model hears the tool's answer. ``perhaps``: it depends on a version of which nobody has told us yet."""


@dataclass(frozen=True, slots=True)
class DescribedArgument:
    """One argument; ``description`` may be ''."""

    name: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class DescribedTool:
    """One tool. Texts are in one line, with nothing in them that Vapi would act on."""

    name: str
    description: str
    arguments: tuple[DescribedArgument, ...]
    answer_heard: AnswerHeard

    def perhaps_unheard(self) -> "DescribedTool":
        """The same, where it is not sure that the model hears the answer."""
        return replace(self, answer_heard="perhaps") if self.answer_heard == "always" else self


def of_definition(definition: ToolDefinition) -> DescribedTool:
    """As a release knows it: its own texts, which need no care."""
    schema = definition.parameters_schema()
    arguments = _arguments(schema, schema["properties"])
    heard: AnswerHeard = "never" if definition.asynchronous else "always"
    return DescribedTool(definition.name, definition.description, arguments, heard)


def of_published(name: str, version: PublishedVersion, like: ToolDefinition | None = None) -> DescribedTool:
    """As it was published. ``like``: a definition of the same contract, whose order of arguments is the readers' own.

    A published schema has lost its order in databases: required ones come first, as the schema lists them.
    """
    schema = version.parameters or {}
    order = [*(like.parameters_schema()["properties"] if like else ()), *_required(schema)]
    arguments = _arguments(schema, order)
    plainly = tuple(replace(one, description=plain(one.description)) for one in arguments)
    heard: AnswerHeard = "never" if version.asynchronous else "always"
    return DescribedTool(name, plain(version.description), plainly, heard)


def says_the_same(version: PublishedVersion, definition: ToolDefinition) -> bool:
    """Whether what was published is this very definition: then its own words are used, to the byte."""
    return (
        version.contract == definition.contract
        and version.asynchronous is definition.asynchronous
        and version.description == definition.description
        and version.parameters == definition.parameters_schema()
    )


def _arguments(schema: Mapping[str, Any], order: Iterable[str]) -> tuple[DescribedArgument, ...]:
    properties, required = schema.get("properties"), set(_required(schema))
    if not isinstance(properties, Mapping):
        return ()
    names = dict.fromkeys([name for name in order if name in properties])
    return tuple(
        DescribedArgument(name, name in required, _description(properties[name]))
        for name in [*names, *(name for name in properties if name not in names)]
    )


def _required(schema: Mapping[str, Any]) -> list[str]:
    required = schema.get("required")
    return [name for name in required if isinstance(name, str)] if isinstance(required, list | tuple) else []


def _description(spec: object) -> str:
    description = spec.get("description", "") if isinstance(spec, Mapping) else ""
    return description if isinstance(description, str) else ""
