"""The JSON Schemas of the messages: generated from the models, committed, and checked.

    python -m zerotouch_contracts.schemas            write contracts/schemas/<Name>.v<n>.json
    python -m zerotouch_contracts.schemas --check    fail where a file is not what the models say

Events are kept for ever, so a schema only grows. Neither command accepts a change that breaks a reader or a stored
message: a field that is gone or renamed, allows less than before, or is required now and was not. Whoever must do it
all the same makes a new version of the message.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from zerotouch_contracts.accounts import VapiAccount
from zerotouch_contracts.answering import ContractsAnnounced
from zerotouch_contracts.blueprint import ToolPublished
from zerotouch_contracts.envelope import AnyMessage
from zerotouch_contracts.events import ASSISTANT_MESSAGES, ERASURE_MESSAGES, OUTCOME_MESSAGES, TOOL_CALL_MESSAGES
from zerotouch_contracts.fleet import FLEET_MESSAGES, FleetMessage
from zerotouch_contracts.heads import LogHead
from zerotouch_contracts.names import DisplayName

Schema = Mapping[str, Any]

DIRECTORY: Final = Path(__file__).resolve().parents[2] / "schemas"
"""In a checkout; an installed package carries no schemas."""
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MESSAGES: Final = (
    *ASSISTANT_MESSAGES,
    *OUTCOME_MESSAGES,
    *TOOL_CALL_MESSAGES,
    *ERASURE_MESSAGES,
    *FLEET_MESSAGES,
    ContractsAnnounced,
    ToolPublished,
    LogHead,
    DisplayName,
    VapiAccount,
)
Described = AnyMessage | FleetMessage | ContractsAnnounced | ToolPublished | LogHead | DisplayName | VapiAccount

_UPPER_BOUNDS: Final = ("maxLength", "maximum", "exclusiveMaximum", "maxItems")
_LOWER_BOUNDS: Final = ("minLength", "minimum", "exclusiveMinimum", "minItems")
_EXACT: Final = ("pattern", "format", "const")


def file_name(message: type[Described]) -> str:
    """``AssistantSaved.v1.json`` of the type ``zerotouch.AssistantSaved.v1``."""
    return message.TYPE.removeprefix("zerotouch.") + ".json"


def schema_of(message: type[Described]) -> dict[str, Any]:
    """The JSON Schema of a message's body."""
    name = message.TYPE.removeprefix("zerotouch.")
    generated = _without_titles(message.model_json_schema())
    return {**generated, "$schema": DIALECT, "$id": f"urn:zerotouch:schema:{name}", "title": message.__name__}


def rendered(schema: Schema) -> str:
    """The file's text: sorted keys, so that only a change of the model changes it."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What a reader or a stored message of ``old`` would stumble over in ``new``, one sentence each; [] is compatible.

    Allowed: a new field that is not required, a wider type, a higher limit, another description. A field that always
    came and may be missing now breaks its readers, so that is not allowed either.
    """
    return list(_compare(old, new, _Definitions(old, new), ""))


def problems_of(directory: Path, *, fresh: bool) -> list[str]:
    """Why the files in ``directory`` are not acceptable; with ``fresh`` they must also be up to date."""
    problems: list[str] = []
    expected = {file_name(message): message for message in MESSAGES}
    left = sorted(path.name for path in directory.glob("*.json") if path.name not in expected)
    problems += [f"{name}: no message has this schema any more" for name in left]
    for name, message in expected.items():
        path, schema = directory / name, schema_of(message)
        if not path.exists():
            problems += [f"{name}: missing"] if fresh else []
            continue
        committed = path.read_text(encoding="utf-8")
        changes = breaking_changes(json.loads(committed), schema)
        problems += [f"{name}: {change}" for change in changes]
        if fresh and not changes and committed != rendered(schema):
            problems.append(f"{name}: out of date; run python -m zerotouch_contracts.schemas")
    return problems


def write(directory: Path) -> None:
    """Write every schema. The caller has made sure that nothing breaks."""
    directory.mkdir(parents=True, exist_ok=True)
    for message in MESSAGES:
        (directory / file_name(message)).write_text(rendered(schema_of(message)), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser("python -m zerotouch_contracts.schemas", description="Write or check schemas.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a schema is out of date")
    parser.add_argument("--directory", type=Path, default=DIRECTORY)
    options = parser.parse_args(arguments)
    problems = problems_of(options.directory, fresh=options.check)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    if not options.check:
        write(options.directory)
    print(f"{len(MESSAGES)} schemas in {options.directory} are up to date")
    return 0


def _without_titles(node: Any) -> Any:
    """Titles only repeat the names; a field may be called ``title``, so names of properties are kept."""
    if isinstance(node, list):
        return [_without_titles(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: {name: _without_titles(item) for name, item in value.items()}
        if key in ("properties", "$defs")
        else _without_titles(value)
        for key, value in node.items()
        if key != "title"
    }


class _Definitions:
    """What ``$ref`` means in either document."""

    __slots__ = ("_new", "_old")

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old.get("$defs", {}), new.get("$defs", {})

    def old(self, node: Schema) -> Schema:
        return _resolved(node, self._old)

    def new(self, node: Schema) -> Schema:
        return _resolved(node, self._new)


def _resolved(node: Schema, definitions: Schema) -> Schema:
    reference = node.get("$ref")
    if reference is None:
        return node
    found: Schema = definitions[str(reference).removeprefix("#/$defs/")]
    return found


def _compare(old: Schema, new: Schema, definitions: _Definitions, place: str) -> Iterator[str]:
    if "default" in old and old["default"] != new.get("default"):
        yield f"{place}: the default was {old['default']!r}, is {new.get('default')!r}"
    old, new = definitions.old(old), definitions.new(new)
    if "anyOf" not in old and "anyOf" not in new:
        yield from _compare_one(old, new, definitions, place)
        return
    choices = new.get("anyOf", [new])
    for variant in old.get("anyOf", [old]):
        attempts = [list(_compare(variant, choice, definitions, place)) for choice in choices]
        if all(attempts):
            yield min(attempts, key=len)[0]


def _compare_one(old: Schema, new: Schema, definitions: _Definitions, place: str) -> Iterator[str]:
    where = place or "the body"
    if new.get("type") not in (None, old.get("type")):
        yield f"{where}: was {old.get('type', 'anything')}, is {new['type']}"
        return
    yield from _narrowed(old, new, where)
    if "items" in new:
        yield from _compare(old.get("items", {}), new["items"], definitions, f"{place}[]")
    if old.get("type") == "object":
        yield from _compare_fields(old, new, definitions, place)


def _narrowed(old: Schema, new: Schema, where: str) -> Iterator[str]:
    for key in _EXACT:
        if key in new and new[key] != old.get(key):
            yield f"{where}: {key} was {old.get(key)!r}, is {new[key]!r}"
    for key in _UPPER_BOUNDS:
        if key in new and (key not in old or new[key] < old[key]):
            yield f"{where}: {key} was {old.get(key)}, is {new[key]}"
    for key in _LOWER_BOUNDS:
        if key in new and (key not in old or new[key] > old[key]):
            yield f"{where}: {key} was {old.get(key)}, is {new[key]}"
    if "enum" in new:
        allowed = [old["const"]] if "const" in old else old.get("enum", ["anything"])
        lost = [value for value in allowed if value not in new["enum"]]
        if lost:
            yield f"{where}: no longer allows {', '.join(map(repr, lost))}"
    if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
        yield f"{where}: refuses unknown fields"


def _compare_fields(old: Schema, new: Schema, definitions: _Definitions, place: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
    prefix = f"{place}." if place else ""
    for name, field in before.items():
        if name not in after:
            yield f"{prefix}{name}: removed or renamed"
            continue
        yield from _compare(field, after[name], definitions, f"{prefix}{name}")
    for name in sorted(required_after - required_before):
        yield f"{prefix}{name}: required now, and stored messages may lack it"
    for name in sorted((required_before - required_after) & set(after)):
        yield f"{prefix}{name}: was always there, and may be missing now"


if __name__ == "__main__":
    sys.exit(main())
