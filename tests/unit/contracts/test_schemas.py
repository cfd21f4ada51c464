"""The committed schemas are what the models say, and a change that breaks somebody is refused."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zerotouch_contracts.events import ToolSyncFailed
from zerotouch_contracts.schemas import (
    DIRECTORY,
    MESSAGES,
    breaking_changes,
    file_name,
    main,
    problems_of,
    rendered,
    schema_of,
)

Schema = dict[str, Any]
Change = Callable[[Schema], None]
FAILED = schema_of(ToolSyncFailed)


def test_the_committed_schemas_are_fresh() -> None:
    assert problems_of(DIRECTORY, fresh=True) == []


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: m.__name__)
def test_a_schema_does_not_break_itself(message: Any) -> None:
    assert breaking_changes(schema_of(message), schema_of(message)) == []


def changed(change: Change) -> Schema:
    schema = copy.deepcopy(FAILED)
    change(schema)
    return schema


def field(name: str, **keys: Any) -> Change:
    return lambda schema: schema["properties"][name].update(keys)


def of_tool(name: str, **keys: Any) -> Change:
    return lambda schema: schema["$defs"]["SyncedTool"]["properties"][name].update(keys)


def renamed(schema: Schema) -> None:
    schema["properties"]["reason"] = schema["properties"].pop("message")


BREAKING: dict[str, tuple[Change, str]] = {
    "removed": (lambda s: s["properties"].pop("message"), "message: removed or renamed"),
    "renamed": (renamed, "message: removed or renamed"),
    "removed from a nested object": (
        lambda s: s["$defs"]["SyncedTool"]["properties"].pop("vapi_tool_id"),
        "tools[].vapi_tool_id: removed or renamed",
    ),
    "another type": (field("sequence", type="string"), "sequence: was integer, is string"),
    "null no longer allowed": (
        lambda s: s["properties"]["cause"].update(anyOf=s["properties"]["cause"]["anyOf"][:1]),
        "cause: was null, is string",
    ),
    "shorter": (field("message", maxLength=100), "message: maxLength was 500, is 100"),
    "a limit where none was": (field("tools", maxItems=5), "tools: maxItems was None, is 5"),
    "longer at least": (of_tool("vapi_tool_id", minLength=2), "tools[].vapi_tool_id: minLength was 1, is 2"),
    "a higher minimum": (field("sequence", minimum=2), "sequence: minimum was 1, is 2"),
    "another pattern": (field("code", pattern="^TS-1"), "code: pattern was '^TS-[0-9]{3}$', is '^TS-1'"),
    "a closed list": (field("code", enum=["TS-301"]), "code: no longer allows 'anything'"),
    "a constant": (field("code", const="TS-301"), "code: const was None, is 'TS-301'"),
    "required now": (
        lambda s: s["required"].append("message"),
        "message: required now, and stored messages may lack it",
    ),
    "a new required field": (
        lambda s: (s["properties"].update(extra={"type": "string"}), s["required"].append("extra"))[0],
        "extra: required now, and stored messages may lack it",
    ),
    "no longer required": (
        lambda s: s["required"].remove("tools"),
        "tools: was always there, and may be missing now",
    ),
    "another default": (field("vapi_account", default="eu"), "vapi_account: the default was 'platform', is 'eu'"),
    "another default of a choice": (field("cause", default="tier"), "cause: the default was None, is 'tier'"),
    "unknown fields refused": (lambda s: s.update(additionalProperties=False), "the body: refuses unknown fields"),
    "unknown nested fields refused": (
        lambda s: s["$defs"]["SyncedTool"].update(additionalProperties=False),
        "tools[]: refuses unknown fields",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), BREAKING.values(), ids=BREAKING)
def test_a_breaking_change_is_named(change: Change, sentence: str) -> None:
    assert breaking_changes(FAILED, changed(change)) == [sentence]


COMPATIBLE: dict[str, Change] = {
    "a new optional field": lambda s: s["properties"].update(extra={"type": "string", "default": ""}),
    "a new optional nested field": lambda s: s["$defs"]["SyncedTool"]["properties"].update(extra={"type": "string"}),
    "another description": lambda s: s.update(description="Other words."),
    "a higher limit": field("message", maxLength=5000),
    "a lower minimum": field("sequence", minimum=0),
    "no limit": lambda s: s["properties"]["requests"].pop("maxItems"),
    "no pattern": lambda s: s["properties"]["code"].pop("pattern"),
    "null allowed": lambda s: s["properties"].update(code={"anyOf": [s["properties"]["code"], {"type": "null"}]}),
    "a definition under another name": lambda s: (
        s["$defs"].update(Tool=s["$defs"].pop("SyncedTool")),
        s["properties"]["tools"]["items"].update({"$ref": "#/$defs/Tool"}),
    )[0],
}


@pytest.mark.parametrize("change", COMPATIBLE.values(), ids=COMPATIBLE)
def test_a_schema_may_grow(change: Change) -> None:
    assert changed(change) != FAILED
    assert breaking_changes(FAILED, changed(change)) == []


def test_a_value_taken_from_a_list_breaks_and_one_added_does_not() -> None:
    few, many = {"enum": ["save", "sync"]}, {"enum": ["save", "sync", "repair"]}

    assert breaking_changes(few, many) == []
    assert breaking_changes(many, few) == ["the body: no longer allows 'repair'"]


def test_the_command_writes_checks_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--directory", str(tmp_path)]
    assert main([*where, "--check"]) == 1
    assert "ToolSyncFailed.v1.json: missing" in capsys.readouterr().err
    assert main(where) == 0
    assert main([*where, "--check"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(file_name(m) for m in MESSAGES)

    path = tmp_path / file_name(ToolSyncFailed)
    path.write_text(rendered({**FAILED, "description": "Old words."}), encoding="utf-8")
    assert main([*where, "--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert main(where) == 0

    wider = json.loads(path.read_text(encoding="utf-8"))
    wider["properties"]["gone"] = {"type": "string"}
    path.write_text(rendered(wider), encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    assert main(where) == 1  # the generator must not bless what breaks
    assert "gone: removed or renamed" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == before

    (tmp_path / "Forgotten.v1.json").write_text("{}", encoding="utf-8")
    assert main([*where, "--check"]) == 1
    assert "Forgotten.v1.json: no message has this schema any more" in capsys.readouterr().err
