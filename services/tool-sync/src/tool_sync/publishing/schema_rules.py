"""Rules for ``parameters``: the closed subset of JSON Schema that Vapi documents and every model provider takes.

A property has one type, and by its type a few keys more. Names are letters, digits, ``_``, ``.`` and ``-``, 1 to 64 of
them, as Anthropic demands; the bounds of depth and number are those that OpenAI's structured outputs began with.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tool_sync.publishing.lint_problem import LintProblem, below, nearest
from zerotouch_contracts.canonical import canonical_json

DEPTH_MAX: Final = 5
PROPERTIES_MAX: Final = 100
BYTES_MAX: Final = 16_384
TEXT_MAX: Final = 1000
"""Characters of a property's description, and of a pattern."""
FORMATS: Final = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
PROPERTY_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_BY_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    "string": ("format", "pattern", "enum"),
    "number": (),
    "integer": (),
    "boolean": (),
    "array": ("items",),
    "object": ("properties", "required"),
}
_INSTEAD: Final[Mapping[str, str]] = {
    "$ref": "write the schema itself in its place",
    "$defs": "write each schema where it is used",
    "anyOf": "write one schema; say the alternatives in the description",
    "oneOf": "write one schema; say the alternatives in the description",
    "allOf": "write the schemas as one",
    "const": "write an enum of one value",
    "nullable": "leave the property out of 'required'",
    "default": "say it in the description",
    "title": "say it in the description",
    "additionalProperties": "leave it out: what the model adds is passed over",
    "$schema": "leave it out",
}


_TOP: Final = ("type", "properties", "required")


def schema_problems(schema: Mapping[str, Any]) -> list[LintProblem]:
    """Everything in a tool's ``parameters`` that is not of the subset."""
    if len(canonical_json(schema)) > BYTES_MAX:
        return [LintProblem("parameters", f"has more than {BYTES_MAX:,} bytes", "ask for less")]
    return list(_parameters_problems(schema))


def _parameters_problems(schema: Mapping[str, Any]) -> Iterator[LintProblem]:
    for key in schema:
        if key not in _TOP:
            yield LintProblem(below("parameters", key), "is no key of a tool's parameters", _instead(key, _TOP))
    if schema.get("type") != "object":
        yield LintProblem("parameters.type", "must be 'object'", "write 'object'")
    yield from _object_problems("parameters", schema, depth=1)
    if (number := _count(schema)) > PROPERTIES_MAX:
        yield LintProblem("parameters", f"has {number} properties", f"write at most {PROPERTIES_MAX}")


def _instead(key: str, known: tuple[str, ...]) -> str:
    return _INSTEAD.get(key) or nearest(key, known)


def _object_problems(path: str, schema: Mapping[str, Any], depth: int) -> Iterator[LintProblem]:
    properties = schema.get("properties")
    where = below(path, "properties")
    if not isinstance(properties, dict):
        yield LintProblem(where, "must be an object of schemas", "write it, as {} where there is none")
        return
    for name, inner in properties.items():
        if not PROPERTY_NAME.fullmatch(name):
            instead = "write 1 to 64 letters, digits, '_', '.' and '-'"
            yield LintProblem(below(where, name), "is no name that every model takes", instead)
        yield from _property_problems(below(where, name), inner, depth)
    yield from _required_problems(below(path, "required"), schema.get("required", []), properties)


def _required_problems(where: str, required: Any, properties: Mapping[str, Any]) -> Iterator[LintProblem]:
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        yield LintProblem(where, "must be a list of names", "name the properties that every call must have")
        return
    for name in required:
        if name not in properties:
            instead = nearest(name, properties) if properties else "drop it"
            yield LintProblem(where, f"names {name!r}, which is no property", instead)
    if len(set(required)) < len(required):
        yield LintProblem(where, "names a property twice", "name each once")


def _property_problems(path: str, schema: Any, depth: int) -> Iterator[LintProblem]:
    if not isinstance(schema, dict):
        yield LintProblem(path, "must be a schema", "write an object with a type and a description")
        return
    kind = schema.get("type")
    if not isinstance(kind, str) or kind not in _BY_TYPE:
        instead = nearest(kind if isinstance(kind, str) else "", _BY_TYPE)
        yield LintProblem(below(path, "type"), "must be one type, as text", instead)
        for key in schema:
            if key in _INSTEAD:
                yield LintProblem(below(path, key), "is not of the subset", _INSTEAD[key])
        return
    known = ("type", "description", *_BY_TYPE[kind])
    for key in schema:
        if key not in known:
            yield LintProblem(below(path, key), f"is no key of a {kind}", _instead(key, known))
    if not _is_text(schema.get("description", "-")):
        yield LintProblem(below(path, "description"), "is no description", f"write 1 to {TEXT_MAX:,} characters")
    yield from _type_problems(path, kind, schema, depth)


def _type_problems(path: str, kind: str, schema: Mapping[str, Any], depth: int) -> Iterator[LintProblem]:
    if kind == "string":
        yield from _string_problems(path, schema)
    elif kind in ("array", "object") and depth >= DEPTH_MAX:
        yield LintProblem(path, f"is nested more than {DEPTH_MAX} deep", "ask for it more flatly")
    elif kind == "object":
        yield from _object_problems(path, schema, depth + 1)
    elif kind == "array" and "items" not in schema:
        yield LintProblem(below(path, "items"), "is missing", "write the schema of one item")
    elif kind == "array":
        yield from _property_problems(below(path, "items"), schema["items"], depth + 1)


def _string_problems(path: str, schema: Mapping[str, Any]) -> Iterator[LintProblem]:
    if (form := schema.get("format", "date")) not in FORMATS:
        yield LintProblem(below(path, "format"), "is none that Vapi has", nearest(str(form), FORMATS))
    if "pattern" in schema and not _is_pattern(schema["pattern"]):
        instead = f"write one of 1 to {TEXT_MAX:,} characters"
        yield LintProblem(below(path, "pattern"), "is no regular expression", instead)
    if "enum" in schema and not _is_enum(schema["enum"]):
        yield LintProblem(below(path, "enum"), "is no list of different texts", "write at least one, each once")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value.strip()) > 0 and len(value) <= TEXT_MAX


def _is_pattern(value: Any) -> bool:
    if not _is_text(value):
        return False
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _is_enum(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(map(_is_text, value)) and len(set(value)) == len(value)


def _count(schema: Any) -> int:
    if not isinstance(schema, dict):
        return 0
    properties = schema.get("properties")
    inner = properties.values() if isinstance(properties, dict) else ()
    return sum(1 + _count(one) for one in inner) + _count(schema.get("items"))
