"""A tool as the platform's owner writes it: a ``.toml`` or ``.json`` file, read into a value.

What cannot be read is a problem with its place, and the rest of the file is still read, so that all problems
come at once.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tool_sync.publishing.json_value import json_of
from tool_sync.publishing.lint_problem import LintProblem, nearest

BYTES_MAX: Final = 100_000
"""Of a file. A tool is read by a model at every turn of a call; one of this size would be none."""


@dataclass(frozen=True, slots=True)
class ToolFile:
    """``contract`` n: assistant-api answers by its argument model n of this name; 0: another service answers.

    ``parameters`` is JSON Schema, None for the contract's own. ``server_url`` is None where assistant-api answers.
    ``messages`` are what Vapi says while the tool works; ``static_parameters`` go to the server with each call.
    """

    name: str
    contract: int
    description: str
    parameters: Mapping[str, Any] | None = None
    asynchronous: bool = False
    timeout_seconds: int = 20
    tier: str = "basic"
    server_url: str | None = None
    messages: tuple[Mapping[str, Any], ...] = ()
    static_parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    note: str = ""


@dataclass(frozen=True, slots=True)
class FileReading:
    """What a file says, and what of it could not be read. ``tool`` is None where nothing could."""

    tool: ToolFile | None
    problems: tuple[LintProblem, ...] = ()


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_integer(value: Any) -> bool:
    return type(value) is int


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_object, value))


_KINDS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "name": (_is_text, "text"),
    "contract": (_is_integer, "a whole number"),
    "description": (_is_text, "text"),
    "parameters": (_is_object, "an object"),
    "async": (_is_bool, "true or false"),
    "timeout_seconds": (_is_integer, "a whole number"),
    "tier": (_is_text, "text"),
    "server_url": (_is_text, "text"),
    "messages": (_is_list_of_objects, "a list of objects"),
    "static_parameters": (_is_object, "an object"),
    "note": (_is_text, "text"),
}
KEYS: Final = tuple(_KINDS)
_REQUIRED: Final[Mapping[str, Any]] = {"name": "", "contract": 0, "description": ""}


def read_tool_file(path: Path) -> FileReading:
    """The tool of a file; raises ``OSError`` where it cannot be opened."""
    with path.open("rb") as file:
        content = file.read(BYTES_MAX + 1)
    if len(content) > BYTES_MAX:
        return _unreadable(path.name, f"has more than {BYTES_MAX:,} bytes", "write a shorter tool")
    if (suffix := path.suffix.lower()) not in (".toml", ".json"):
        return _unreadable(path.name, "is neither .toml nor .json by its name", "rename it")
    try:
        text = content.decode()
        return tool_of(tomllib.loads(text) if suffix == ".toml" else _json(text))
    except RecursionError:
        return _unreadable(path.name, "is nested too deep to be read", "write it flatter")
    except ValueError as error:  # of UTF-8, of TOML and of JSON; the latter two name line and column
        return _unreadable(path.name, f"cannot be read ({error})", "correct it there")


def tool_of(document: Any) -> FileReading:
    """The tool that a document with the file's keys says, whoever read it."""
    if not isinstance(document, dict):
        return _unreadable("file", "holds no object", f"write the keys {', '.join(KEYS)}")
    problems: list[LintProblem] = []
    values = {}
    for key, value in document.items():
        if problem := _problem_of(key, value):
            problems.append(problem)
        elif (clean := json_of(value, key, problems)) is not None:
            values[key] = clean
    problems += [LintProblem(key, "is missing", f"write {_KINDS[key][1]}") for key in _REQUIRED if key not in document]
    return FileReading(_tool({**_REQUIRED, **values}), tuple(problems))


def _tool(values: dict[str, Any]) -> ToolFile:
    values["messages"] = tuple(values.pop("messages", ()))
    return ToolFile(asynchronous=values.pop("async", False), **values)


def _problem_of(key: str, value: Any) -> LintProblem | None:
    if key not in _KINDS:
        return LintProblem(key, "is no key of a tool", nearest(key, KEYS))
    fits, kind = _KINDS[key]
    if not fits(value):
        return LintProblem(key, f"must be {kind}", f"write {kind}, or leave the key out if it may be")
    return None


def _unreadable(where: str, what: str, instead: str) -> FileReading:
    return FileReading(None, (LintProblem(where, what, instead),))


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_refused)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        double = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise ValueError(f"the key {double!r} stands twice in one object")
    return found


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
