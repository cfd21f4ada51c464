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
    ``open`` names the parts that a clinic may word itself.
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
    open: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class FileReading:
    """What a file says, and what of it could not be read. ``tool`` is None where nothing could."""

    tool: ToolFile | None
    problems: tuple[LintProblem, ...] = ()


_Kind = tuple[Callable[[Any], bool], str]
_TEXT: Final[_Kind] = (lambda value: isinstance(value, str), "text")
_NUMBER: Final[_Kind] = (lambda value: type(value) is int, "a whole number")
_FLAG: Final[_Kind] = (lambda value: isinstance(value, bool), "true or false")
_OBJECT: Final[_Kind] = (lambda value: isinstance(value, dict), "an object")


def _list_of(kind: _Kind, what: str) -> _Kind:
    return lambda value: isinstance(value, list) and all(map(kind[0], value)), what


_KINDS: Final[Mapping[str, _Kind]] = {
    "name": _TEXT,
    "contract": _NUMBER,
    "description": _TEXT,
    "parameters": _OBJECT,
    "async": _FLAG,
    "timeout_seconds": _NUMBER,
    "tier": _TEXT,
    "server_url": _TEXT,
    "messages": _list_of(_OBJECT, "a list of objects"),
    "static_parameters": _OBJECT,
    "open": _list_of(_TEXT, "a list of texts"),
    "note": _TEXT,
}
KEYS: Final = tuple(_KINDS)
_REQUIRED: Final[Mapping[str, Any]] = {"name": "", "contract": 0, "description": ""}


def read_tool_file(path: Path) -> FileReading:
    """The tool of a file; raises ``OSError`` where it cannot be opened."""
    with path.open("rb") as file:
        content = file.read(BYTES_MAX + 1)
    if (suffix := path.suffix.lower()) not in (".toml", ".json"):
        return _unreadable(path.name, "is neither .toml nor .json by its name", "rename it")
    return read_tool(content, path.name, is_toml=suffix == ".toml")


def read_tool(content: bytes, where: str, *, is_toml: bool) -> FileReading:
    """The tool of TOML or JSON; ``where`` names it in a problem of the whole."""
    if len(content) > BYTES_MAX:
        return _unreadable(where, f"has more than {BYTES_MAX:,} bytes", "write a shorter tool")
    try:
        text = content.decode()
        return tool_of(tomllib.loads(text) if is_toml else _json(text))
    except RecursionError:
        return _unreadable(where, "is nested too deep to be read", "write it flatter")
    except ValueError as error:  # of UTF-8, of TOML and of JSON; the latter two name line and column
        return _unreadable(where, f"cannot be read ({error})", "correct it there")


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
    values |= {key: tuple(values.pop(key, ())) for key in ("messages", "open")}
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
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
