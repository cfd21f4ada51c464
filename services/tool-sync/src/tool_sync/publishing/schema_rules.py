"""Rules for ``parameters``: the closed subset of JSON Schema that Vapi documents and every model provider takes.

A property has one type, and by its type a few keys more. Names are letters, digits, ``_``, ``.`` and ``-``, 1 to 64 of
them, as Anthropic demands; the bounds of depth and number are those that OpenAI's structured outputs began with.
"""

import re
from collections.abc import Mapping
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
    found = [
        LintProblem(below("parameters", key), "is no key of a tool's parameters", _instead(key, _TOP))
        for key in schema
        if key not in _TOP
    ]
    if schema.get("type") != "object":
        found.append(LintProblem("parameters.type", "must be 'object'", "write 'object'"))
    found += _object_problems("parameters", schema, depth=1)
    if (number := _count(schema)) > PROPERTIES_MAX:
        found.append(LintProblem("parameters", f"has {number} properties", f"write at most {PROPERTIES_MAX}"))
    return found


def _instead(key: str, known: tuple[str, ...]) -> str:
    return _INSTEAD.get(key) or nearest(key, known)


def _object_problems(path: str, schema: Mapping[str, Any], depth: int) -> list[LintProblem]:
    properties = schema.get("properties")
    where = below(path, "properties")
    if not isinstance(properties, dict):
        return [LintProblem(where, "must be an object of schemas", "write it, as {} where there is none")]
    found = []
    for name, inner in properties.items():
        if not PROPERTY_NAME.fullmatch(name):
            found.append(
                LintProblem(below(where, name), "is no name that every model takes",
                            "write 1 to 64 letters, digits, '_', '.' and '-'")
            )  # fmt: skip
        found += _property_problems(below(where, name), inner, depth)
    return found + _required_problems(below(path, "required"), schema.get("required", []), properties)


def _required_problems(where: str, required: Any, properties: Mapping[str, Any]) -> list[LintProblem]:
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        return [LintProblem(where, "must be a list of names", "name the properties that every call must have")]
    found = [
        LintProblem(
            where, f"names {name!r}, which is no property", nearest(name, properties) if properties else "drop it"
        )
        for name in required
        if name not in properties
    ]
    if len(set(required)) < len(required):
        found.append(LintProblem(where, "names a property twice", "name each once"))
    return found


def _property_problems(path: str, schema: Any, depth: int) -> list[LintProblem]:
    if not isinstance(schema, dict):
        return [LintProblem(path, "must be a schema", "write an object with a type and a description")]
    kind = schema.get("type")
    if not isinstance(kind, str) or kind not in _BY_TYPE:
        instead = nearest(kind if isinstance(kind, str) else "", _BY_TYPE)
        others = [key for key in schema if key in _INSTEAD]
        return [
            LintProblem(below(path, "type"), "must be one type, as text", instead),
            *(LintProblem(below(path, key), "is not of the subset", _INSTEAD[key]) for key in others),
        ]
    known = ("type", "description", *_BY_TYPE[kind])
    found = [
        LintProblem(below(path, key), f"is no key of a {kind}", _instead(key, known))
        for key in schema
        if key not in known
    ]
    if not _is_text(schema.get("description", "-")):
        found.append(
            LintProblem(below(path, "description"), "is no description", f"write 1 to {TEXT_MAX:,} characters")
        )
    return found + _type_problems(path, kind, schema, depth)


def _type_problems(path: str, kind: str, schema: Mapping[str, Any], depth: int) -> list[LintProblem]:
    if kind == "string":
        return _string_problems(path, schema)
    if kind not in ("array", "object"):
        return []
    if depth >= DEPTH_MAX:
        return [LintProblem(path, f"is nested more than {DEPTH_MAX} deep", "ask for it more flatly")]
    if kind == "object":
        return _object_problems(path, schema, depth + 1)
    if "items" not in schema:
        return [LintProblem(below(path, "items"), "is missing", "write the schema of one item")]
    return _property_problems(below(path, "items"), schema["items"], depth + 1)


def _string_problems(path: str, schema: Mapping[str, Any]) -> list[LintProblem]:
    found = []
    if (form := schema.get("format", "date")) not in FORMATS:
        found.append(LintProblem(below(path, "format"), "is none that Vapi has", nearest(str(form), FORMATS)))
    if "pattern" in schema and not _is_pattern(schema["pattern"]):
        found.append(
            LintProblem(
                below(path, "pattern"), "is no regular expression", f"write one of 1 to {TEXT_MAX:,} characters"
            )
        )
    if "enum" in schema and not _is_enum(schema["enum"]):
        found.append(LintProblem(below(path, "enum"), "is no list of different texts", "write at least one, each once"))
    return found


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
