"""What becomes of each command of the documentation: `commands.toml` of tests/acceptance/docs_commands."""

import ast
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from .docs_commands import ROOT, TREES, PageCommand, commands_of, is_a_name, key_of, pages, path_of

LIST: Final = ROOT / "tests/acceptance/docs_commands/commands.toml"
_MADE: Final = {
    "nightly": (ROOT / "Makefile").read_text().split("\nnightly: ")[1].split("\n\n")[0],
    "ci": (ROOT / ".ci/run").read_text(),
}


@dataclass(frozen=True, slots=True)
class CommandRun:
    """A command that test_docs_commands.py runs; `commands.toml` says what each field is."""

    run: str
    status: int = 0
    says: str = ""
    until: str = ""
    joins: str = ""
    heals: bool = False
    rests: bool = False
    at: str = ""
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        """Whether it goes on until Ctrl-C."""
        return bool(self.until or self.joins)

    @property
    def key(self) -> str:
        """The command, as it is found in a page."""
        return key_of(self.run)


@dataclass(frozen=True, slots=True)
class CommandList:
    """The whole list."""

    reads: tuple[CommandRun, ...]
    steps: tuple[CommandRun, ...]
    elsewhere: Mapping[str, str]
    not_run: Mapping[str, str]
    by_page: Mapping[str, str]

    @property
    def here(self) -> tuple[CommandRun, ...]:
        """Every command that test_docs_commands.py runs."""
        return (*self.reads, *self.steps)

    def has(self, command: PageCommand) -> bool:
        """Whether the list says what becomes of a command."""
        if command.in_block and command.page in self.by_page:
            return True
        key = key_of(command.text)
        return key in self.keys or (is_a_name(command.text) and self._has_longer(key))

    @property
    def keys(self) -> set[str]:
        """Every command of the list."""
        return {*(step.key for step in self.here), *self.elsewhere, *self.not_run}

    def _has_longer(self, name: str) -> bool:
        """Whether a command is run that this is the name of."""
        return any(f"{key} ".startswith(f"{name} ") for key in self.keys - self.not_run.keys())


def known() -> CommandList:
    """The list as it stands."""
    read = tomllib.loads(LIST.read_text())
    reads, steps = (tuple(map(_step, read["here"][name])) for name in ("reads", "steps"))
    return CommandList(reads, steps, read["elsewhere"], read["not_run"], read["by_page"])


def _step(entry: dict[str, Any]) -> CommandRun:
    program = entry["run"].split()[0]
    at = program if program in TREES else "shell"
    return CommandRun(**{"at": at, "words": entry.pop("with", {}), **entry, "run": entry["run"].strip()})


def all_commands() -> list[PageCommand]:
    """The commands of all pages."""
    return [command for page in pages() for command in commands_of(page)]


def in_a_page(step: CommandRun, found: list[PageCommand]) -> bool:
    """Whether a page has this step's command, or names it."""
    keys = {key_of(command.text) for command in found}
    words = step.key.split()
    return step.key in keys or (words[0] in TREES and len(path_of(words)) > 1 and " ".join(path_of(words)) in keys)


def why_not_run_there(where: str) -> str | None:
    """What is wrong with a place that is said to run a command: a test, or a target that a run of make has."""
    kind, _, target = where.partition(": ")
    if target:
        made = re.search(rf"(?:\$\(MAKE\) |\bmake |\$\(BIN\)/){re.escape(target)}(?![\w-])", _MADE[kind])
        return None if made else f"{kind} does not make {target}"
    path, _, name = where.partition("::")
    if not (ROOT / path).is_file():
        return f"there is no {path}"
    return None if name in _tests_of(ROOT / path) else f"{path} has no test {name!r}"


def _tests_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
