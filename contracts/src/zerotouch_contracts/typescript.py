"""The messages as TypeScript types: made from the JSON Schemas, committed, and checked.

    python -m zerotouch_contracts.typescript            write contracts/typescript/src/events.ts
    python -m zerotouch_contracts.typescript --check    fail where it is not what the schemas say

Types say which fields there are. What TypeScript has no type for (patterns, lengths, limits) stands in the schemas.
A field that older records may lack is optional, and an unknown field is no fault: schemas only grow.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from zerotouch_contracts.schemas import MESSAGES, schema_of
from zerotouch_contracts.topics import TOPICS

FILE: Final = Path(__file__).resolve().parents[2] / "typescript/src/events.ts"
"""In a checkout; an installed package carries no types of TypeScript's."""
_PLAIN: Final = {
    "string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null",
}  # fmt: skip
_ROLE: Final = re.compile(r":(?:mod|func|class):(?=`)")
_HEAD: Final = "// Made by `python -m zerotouch_contracts.typescript` from contracts/schemas. Do not edit."

Schema = Mapping[str, Any]


def rendered() -> str:
    """The file's text. Raises ``ValueError`` for two types of one name, and for what no type was thought of."""
    parts: dict[str, str] = {}
    names: dict[str, str] = {}
    for message in MESSAGES:
        schema = schema_of(message)
        for name, definition in (*schema.get("$defs", {}).items(), (message.__name__, schema)):
            text = _interface(name, definition)
            if parts.setdefault(name, text) != text:
                raise ValueError(f"two messages have a {name} each, and they differ")
        names[message.TYPE] = message.__name__
    known = json.dumps(list(names), indent=2)
    types = "\n".join(f'  "{name}": {of};' for name, of in names.items())
    topics = "\n".join(f'  "{topic.name}",' for topic in TOPICS)
    return "\n\n".join([
        _HEAD,
        *parts.values(),
        f"/** Each message by the type that its header `ce_type` names. */\nexport interface Events {{\n{types}\n}}",
        f"/** The same types, at run time. */\nexport const EVENT_TYPES = {known} as const;",
        f"export const TOPICS = [\n{topics}\n] as const;",
        "",
    ])  # fmt: skip


def type_of(schema: Schema) -> str:
    """The type of a value. Raises ``ValueError`` for what no message has had yet."""
    match schema:
        case {"$ref": str(reference)}:
            return reference.removeprefix("#/$defs/")
        case {"anyOf": [*choices]}:
            return " | ".join(type_of(choice) for choice in choices)
        case {"const": only}:
            return json.dumps(only)
        case {"enum": [*values]}:
            return " | ".join(map(json.dumps, values))
        case {"type": "array", "items": items}:
            return f"ReadonlyArray<{type_of(items)}>"
        case {"type": "object", "patternProperties": dict(patterns)}:
            return f"Readonly<Record<string, {' | '.join(map(type_of, patterns.values()))}>>"
        case {"type": "object", "additionalProperties": dict(value)}:
            return f"Readonly<Record<string, {type_of(value)}>>"
        case {"type": "object"} if "properties" not in schema:
            return "Readonly<Record<string, unknown>>"
        case {"type": str(name)} if name in _PLAIN:
            return _PLAIN[name]
    raise ValueError(f"there is no type for {json.dumps(schema)[:200]}")


def _interface(name: str, schema: Schema) -> str:
    if "properties" not in schema:
        return _commented(schema, "") + f"export type {name} = {type_of(schema)};"
    required = schema.get("required", ())
    fields = "\n".join(
        f"{_commented(field, '  ')}  readonly {key}{'' if key in required else '?'}: {type_of(field)};"
        for key, field in schema["properties"].items()
    )
    return f"{_commented(schema, '')}export interface {name} {{\n{fields}\n}}"


def _commented(schema: Schema, indent: str) -> str:
    if not (text := schema.get("description")):
        return ""
    lines = _ROLE.sub("", text).replace("``", "`").replace("*/", "* /").splitlines()
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return "".join(_comment_lines(lines, indent))


def _comment_lines(lines: Sequence[str], indent: str) -> Iterator[str]:
    yield f"{indent}/**\n"
    yield from (f"{indent} * {line}".rstrip() + "\n" for line in lines)
    yield f"{indent} */\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    is_check = list(sys.argv[1:] if arguments is None else arguments) == ["--check"]
    text = rendered()
    if not is_check:
        FILE.write_text(text, encoding="utf-8")
    elif FILE.read_text(encoding="utf-8") != text:
        print(f"{FILE}: out of date; run python -m zerotouch_contracts.typescript", file=sys.stderr)
        return 1
    print(f"{FILE} has {len(MESSAGES)} messages and is up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
