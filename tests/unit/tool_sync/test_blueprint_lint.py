"""``tool-sync blueprint lint`` as an owner sees it: lines of 80 columns, JSON, and exit statuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tool_sync.cli.app import app
from tool_sync.publishing.difference import changed_words
from zerotouch_platform.lines import COLUMNS

from ...golden.reading import assert_result

GOOD = """
name = "bookClinicAppointment"
contract = 2
description = "Books an appointment at this clinic."
async = true
"""
# Nothing in it has to be resolved: its host is an address.
BAD = """
name = "send directions"
contract = 0
description = "Sends {{customer.name}} the way.\\u001b[2J"
timeout = 30
tier = "profesional"
server_url = "https://user@0x7f.0.0.1/directions#here"

[parameters]
type = "object"
required = ["phone"]
[parameters.properties.stops]
type = "array"
[parameters.properties.when]
type = ["string", "null"]

[[messages]]
type = "request-start"
content = "One moment."
role = "system"

[static_parameters]
organization_id = "42"
since = 2026-11-29
"""


def lint(path: Path, content: str, *options: str, **env: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of the command with a file of this content."""
    path.write_text(content)
    done = CliRunner().invoke(app, ["blueprint", "lint", str(path), *options], env={"VAPI_BASE_URL": None, **env})
    return done.exit_code, done.stdout, done.stderr


def test_all_problems_are_listed_at_80_columns(tmp_path: Path) -> None:
    status, stdout, stderr = lint(tmp_path / "tool.toml", BAD)
    assert (status, stderr) == (1, "")
    assert max(map(len, stdout.splitlines())) <= COLUMNS
    assert all(char == "\n" or char.isprintable() for char in stdout)
    assert_result("blueprint_lint", stdout.splitlines())


def test_a_file_without_problems_can_be_published_whatever_its_warnings(tmp_path: Path) -> None:
    status, stdout, stderr = lint(tmp_path / "tool.toml", GOOD)
    assert (status, stderr) == (0, "")
    assert stdout.splitlines()[-1] == "tool.toml: can be published, 1 warning(s)"


@pytest.mark.parametrize(("content", "status", "counts"), [(GOOD, 0, (0, 1)), (BAD, 1, (14, 0))])
def test_a_script_reads_the_same_as_json(tmp_path: Path, content: str, status: int, counts: tuple[int, int]) -> None:
    path = tmp_path / "tool.toml"
    found, stdout, _ = lint(path, content, "--json")
    result = json.loads(stdout)["result"]
    assert (found, result["file"]) == (status, str(path))
    assert (len(result["problems"]), len(result["warnings"])) == counts
    assert {tuple(problem) for problem in result["problems"] + result["warnings"]} == {("where", "what", "instead")}


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["blueprint", "lint", str(tmp_path / "none.toml")])
    assert (done.exit_code, done.stdout) == (2, "")


def test_loopback_has_to_be_allowed_and_never_is_at_the_real_vapi(tmp_path: Path) -> None:
    local = """{"name": "a", "contract": 0, "description": "A.", "server_url": "http://127.0.0.1:3005/a",
                "parameters": {"type": "object", "properties": {}}}"""
    path = tmp_path / "tool.json"
    assert lint(path, local)[0] == 1
    assert lint(path, local, "--allow-loopback")[0] == 0
    assert lint(path, local, VAPI_BASE_URL="http://127.0.0.1:3003", TOOL_URL_LOOPBACK_ALLOWED="true")[0] == 0
    status, _, stderr = lint(path, local, VAPI_BASE_URL="https://api.vapi.ai", TOOL_URL_LOOPBACK_ALLOWED="true")
    assert (status, stderr.startswith("tool-sync: --allow-loopback must be false with the real Vapi")) == (2, True)


def test_the_words_that_changed_are_named_by_their_place() -> None:
    old = {"function": {"description": "Books a visit. Wait."}, "async": True, "parameters": [{"key": "a", "value": 1}]}
    new = {"function": {"description": "Books an appointment."}, "async": False, "parameters": [], "tier": None}
    assert list(changed_words(old, new)) == [
        "async: true → false",
        "function.description: [-a visit. Wait.-] [+an appointment.+]",
        'parameters[0]: {"key":"a","value":1} → (nothing)',
        "tier: (nothing) → null",
    ]
    assert list(changed_words(old, old)) == []
