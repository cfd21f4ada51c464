"""Reading a tool's file: both forms say the same, and what cannot be read says where."""

import json
import time
from pathlib import Path

import pytest

from tool_sync.publishing.tool_file import BYTES_MAX, FileReading, ToolFile, read_tool, read_tool_file, tool_of

from .files import DIRECTIONS

TOML = """
name = "sendDirections"
contract = 0
description = "Sends the caller the way to the clinic."
server_url = "https://directions.example/tool"
async = false
note = "asked for in March"

[parameters]
type = "object"
required = ["destination"]
[parameters.properties.destination]
type = "string"
description = "Where the caller wants to go."

[[messages]]
type = "request-start"
content = "One moment."

[static_parameters]
region = "eu"
"""
READ = ToolFile(
    name="sendDirections",
    contract=0,
    description="Sends the caller the way to the clinic.",
    parameters=DIRECTIONS["parameters"],
    server_url="https://directions.example/tool",
    messages=({"type": "request-start", "content": "One moment."},),
    static_parameters={"region": "eu"},
    note="asked for in March",
)


def read(path: Path, content: str | bytes) -> FileReading:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_tool_file(path)


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    document = DIRECTIONS | {
        "note": READ.note,
        "async": False,
        "static_parameters": {"region": "eu"},
        "messages": [{"type": "request-start", "content": "One moment."}],
    }
    assert read(tmp_path / "tool.toml", TOML) == FileReading(READ)
    assert read(tmp_path / "tool.json", json.dumps(document)) == FileReading(READ)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("tool.toml", 'name = "a"\nname = "b"', "cannot be read"),
        ("tool.toml", 'name = "a"\ntier = \n', "line 2"),
        ("tool.json", "{", "line 1 column 2"),
        ("tool.json", '{"name": "a", "name": "b"}', "'name' stands twice"),
        ("tool.json", '{"contract": NaN}', "NaN is no JSON"),
        ("tool.json", b'{"name": "\xff"}', "utf-8"),
        ("tool.json", "[" * 50_000, "nested too deep"),
        ("tool.json", "[]", "holds no object"),
        ("tool.json", " " * (BYTES_MAX + 1), "100,000 bytes"),
        ("tool.yaml", "name: a", "neither .toml nor .json"),
    ],
)
def test_what_cannot_be_read_is_one_problem(tmp_path: Path, name: str, content: str | bytes, what: str) -> None:
    found = read(tmp_path / name, content)
    assert found.tool is None
    assert what in str(found.problems[0])


def test_all_that_is_wrong_is_said_and_the_rest_is_still_read(tmp_path: Path) -> None:
    found = tool_of({"name": 5, "contrct": 1, "contract": True, "async": "no", "tier": "basic"})
    assert found.tool == ToolFile(name="", contract=0, description="")
    assert [str(problem) for problem in found.problems] == [
        "name: must be text; write text, or leave the key out if it may be",
        "contrct: is no key of a tool; write 'contract'",
        "contract: must be a whole number; write a whole number, or leave the key out if it may be",
        "async: must be true or false; write true or false, or leave the key out if it may be",
        "description: is missing; write text",
    ]


def test_a_value_that_is_no_json_is_named_by_its_place(tmp_path: Path) -> None:
    found = read(tmp_path / "tool.toml", "static_parameters = {since = 2026-11-29, part = nan, big = 9007199254740993}")
    assert [problem.where for problem in found.problems[:3]] == [
        "static_parameters.since",
        "static_parameters.part",
        "static_parameters.big",
    ]


def test_a_key_that_stands_twice_behind_thousands_of_others_is_found_at_once() -> None:
    keys = ",".join(f'"k{number}": 1' for number in range(8_000))
    content = f'{{{keys}, "k7999": 2}}'.encode()
    began = time.process_time()
    (problem,) = read_tool(content, "the body", is_toml=False).problems
    assert "'k7999' stands twice" in problem.what
    assert time.process_time() - began < 1.0  # it was quadratic: many seconds
