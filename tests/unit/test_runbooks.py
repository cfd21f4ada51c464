"""The runbook for the night speaks of what the services really say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tool_sync.cli.app import app as tool_sync
from zerotouch_contracts.errors import CATALOGUE

ROOT = Path(__file__).parents[2]
ON_CALL = (ROOT / "docs/runbooks/on-call.md").read_text()
CANNOT_BOOK = (ROOT / "docs/runbooks/cannot-book.md").read_text()
ROLLOUT = (ROOT / "docs/runbooks/rollout.md").read_text()
SOURCES = sorted(path for path in ROOT.glob("services/*/src/**/*.py"))
ALERTS = ROOT / "deploy/observability/alerts.yml"
TEXT = "\n".join(path.read_text() for path in (*SOURCES, ALERTS))


def alarms() -> Iterator[str]:
    """The first words of every log call that says ``alarm``, and the fault that a loop says so."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            keywords = {word.arg: word.value for word in node.keywords}
            if "alarm" in keywords and ast.unparse(node.args[0]) != "self.fault":  # which is named where a loop is made
                (event,) = (arg.value for arg in node.args if isinstance(arg, ast.Constant))
                yield str(event)
            if isinstance(fault := keywords.get("fault"), ast.Constant):
                yield str(fault.value)


def named() -> Iterator[str]:
    """What the first column of the table has in backticks."""
    rows = [line.split("|")[1] for line in ON_CALL.splitlines() if line.startswith("| ")]
    for cell in rows:
        yield from re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("event", sorted(set(alarms())))
def test_every_alarm_is_in_the_runbook(event: str) -> None:
    assert f"`{event}`" in ON_CALL


@pytest.mark.parametrize("name", sorted(set(named())))
def test_what_the_runbook_names_is_in_the_code(name: str) -> None:
    assert name in TEXT


OBSTACLES = [code.value for code in CATALOGUE if code.value.startswith(("TS-3", "TS-5"))]


@pytest.mark.parametrize("code", OBSTACLES)
def test_every_obstacle_says_what_a_caller_meets_and_what_to_do(code: str) -> None:
    rows = [line for line in CANNOT_BOOK.splitlines() if line.startswith(f"| `{code}` |")]
    assert len(rows) == 1
    assert all(len(cell.strip()) > 5 for cell in rows[0].split("|")[1:-1])


def test_the_runbook_of_obstacles_names_no_code_that_does_not_exist() -> None:
    assert set(re.findall(r"TS-\d{3}", CANNOT_BOOK)) <= {code.value for code in CATALOGUE}


@pytest.mark.parametrize("words", sorted(set(re.findall(r'^\| "([^"]+)"', CANNOT_BOOK, re.MULTILINE))))
def test_what_the_runbook_quotes_is_what_check_says(words: str) -> None:
    assert words in TEXT


@pytest.mark.parametrize("words", sorted(set(re.findall(r'^\| "([^"]+)"', ROLLOUT, re.MULTILINE))))
def test_what_the_runbook_of_rollouts_quotes_is_what_a_rollout_says(words: str) -> None:
    assert words in TEXT


@pytest.mark.parametrize("page", sorted((ROOT / "docs/runbooks").glob("*.md")), ids=lambda page: page.name)
def test_the_commands_of_a_runbook_exist_with_their_options(page: Path) -> None:
    text = page.read_text()
    lines = [*re.findall(r"^    tool-sync ([^#\n]*)", text, re.MULTILINE), *re.findall(r"`tool-sync ([^`]*)`", text)]
    for line in lines:
        command: Any = typer.main.get_command(tool_sync)
        for word in line.split():
            if word not in getattr(command, "commands", {}):
                break
            command = command.commands[word]
        assert not getattr(command, "commands", {}) or command.callback, f"there is no command tool-sync {line}"
        options = {option for param in command.params for option in param.opts}
        assert set(re.findall(r"--[a-z][a-z-]+", line)) <= options, f"tool-sync {line}"
