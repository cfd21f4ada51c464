"""Examples of what a model may send by a schema of the subset (`schema_rules`): the same ones every time.

Not every value that the schema allows, but what models do send: days and times in several forms, names, numbers, words.
A pattern picks among them; none is made from it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_TEXTS: Final = (
    "Anna Example", "Example", "Müller", "tomorrow", "two words", "+49 30 1234567", "0301234567", "1", "12345",
    "2026-12-03", "2028-02-29", "03.12.2026", "12/3/2026", "2026-12-03T14:30:00Z", "09:30", "14:30", "00:00", "23:59",
    "9:30", "14:30:00", "9:30 AM", "A-1", "yes", "anna@example.com", "3f0c8d1e-5f0e-4f0a-9d0e-2b1a7c6d5e4f",
)  # fmt: skip
_OF_FORMAT: Final[Mapping[str, tuple[str, ...]]] = {
    "date": ("2026-12-03", "2028-02-29"),
    "time": ("14:30:00Z", "09:05:00+01:00"),
    "date-time": ("2026-12-03T14:30:00Z", "2028-02-29T09:05:00+01:00"),
    "duration": ("PT30M", "P1D"),
    "email": ("anna@example.com",),
    "hostname": ("example.com",),
    "ipv4": ("192.0.2.1",),
    "ipv6": ("2001:db8::1",),
    "uuid": ("3f0c8d1e-5f0e-4f0a-9d0e-2b1a7c6d5e4f",),
}


class NoExample(Exception):
    """Nothing that this module has matches the schema of the property ``path``."""

    def __init__(self, path: tuple[str, ...]) -> None:
        super().__init__(".".join(path))
        self.path = path


def examples_of(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Objects that the schema allows: whole, with what is required alone, and each value of each property in turn.

    Raises `NoExample`.
    """
    return _objects(schema, ())


def _objects(schema: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    values = {name: _values(inner, (*path, name)) for name, inner in schema["properties"].items()}
    whole = {name: several[0] for name, several in values.items()}
    yield whole
    yield {name: whole[name] for name in schema.get("required", ())}
    for name, several in values.items():
        for value in several[1:]:
            yield {**whole, name: value}


def _values(schema: Mapping[str, Any], path: tuple[str, ...]) -> list[Any]:
    match schema["type"]:
        case "string":
            return _strings(schema, path)
        case "integer":
            return [1, 0, -1]
        case "number":
            return [1.5, 1, 0]
        case "boolean":
            return [True, False]
        case "array":
            items = _values(schema["items"], path)
            return [[items[0]], [], *([item] for item in items[1:])]
        case _:
            return list(_objects(schema, path))


def _strings(schema: Mapping[str, Any], path: tuple[str, ...]) -> list[Any]:
    # A value of an enum that its own format or pattern excludes can never be sent.
    texts = schema["enum"] if "enum" in schema else _OF_FORMAT.get(schema.get("format", ""), _TEXTS)
    pattern = re.compile(schema.get("pattern", ""))
    if not (found := [text for text in texts if pattern.search(text)]):
        raise NoExample(path)
    return found
