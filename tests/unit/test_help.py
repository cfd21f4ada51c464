"""The help of every command of the four command lines, as a terminal of 80 columns shows it."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from assistant_api.cli.app import app as assistant_api
from devstack.__main__ import app as devstack
from tool_sync.cli.app import app as tool_sync
from vapi_sandbox.__main__ import run as sandbox

COLUMNS = 80
vapi_sandbox = typer.Typer(add_completion=False)
vapi_sandbox.command()(sandbox)
APPS = {"tool-sync": tool_sync, "assistant-api": assistant_api, "devstack": devstack, "vapi-sandbox": vapi_sandbox}


def commands(name: str, command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """The command, and each below it: the app's name, the words that lead there, the command."""
    yield name, path, command
    for word, below in getattr(command, "commands", {}).items():
        yield from commands(name, below, (*path, word))


COMMANDS = [one for name, app in APPS.items() for one in commands(name, typer.main.get_command(app))]
NAMES = [" ".join((name, *path)) for name, path, _ in COMMANDS]


def help_of(name: str, path: tuple[str, ...]) -> list[str]:
    """The lines of ``--help``, in an environment without settings."""
    done = CliRunner().invoke(APPS[name], [*path, "--help"], env={"COLUMNS": str(COLUMNS), "DATABASE_URL": None})
    assert done.exit_code == 0, done.output
    lines: list[str] = done.stdout.splitlines()
    return lines


def breaks(lines: list[str]) -> list[str]:
    """Lines of text that end before a word that would have fitted behind them."""
    texts = [line.strip() for line in lines if not line.startswith(("│", "╭", "╰"))]
    return [
        line
        for line, after in pairwise(texts)
        if line and after and len(line) + 1 + len(after.split()[0]) <= COLUMNS - 2
    ]


@pytest.mark.parametrize(("name", "path", "command"), COMMANDS, ids=NAMES)
def test_help_is_whole_at_80_columns(name: str, path: tuple[str, ...], command: Any) -> None:
    lines = help_of(name, path)

    assert not [line for line in lines if "…" in line or len(line) > COLUMNS]
    assert breaks(lines) == []


def test_a_text_that_breaks_in_mid_sentence_is_seen() -> None:
    assert breaks([" Ctrl-C ends ", " it at any time. ", "", " More. "]) == ["Ctrl-C ends"]


@pytest.mark.parametrize(("name", "path", "command"), COMMANDS, ids=NAMES)
def test_every_option_is_explained_by_a_sentence(name: str, path: tuple[str, ...], command: Any) -> None:
    for param in command.params:
        if param.name not in ("install_completion", "show_completion") and not getattr(param, "hidden", False):
            text = param.help or ""
            assert text[:1].isupper(), (param.name, text)
            assert text.endswith("."), (param.name, text)
