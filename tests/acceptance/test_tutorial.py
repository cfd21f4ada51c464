"""The tutorial does what it says: its files and commands, as printed, against a system that has just been started."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from .world import World

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs/tutorial-new-tool.md"
COMMAND_SECONDS_MAX = 60.0
LINES_MAX = COLUMNS_MAX = 120
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANYTHING = "…"


@dataclass(frozen=True, slots=True)
class Step:
    """A command as somebody would type it, and what is said that it prints; in it `…` stands for anything."""

    command: str
    printed: tuple[str, ...]

    @property
    def pattern(self) -> re.Pattern[str]:
        """What the output must look like: a line `…` is any number of lines."""
        lines = [
            r"(?:.*\n)*" if line == ANYTHING else ".*".join(map(re.escape, line.split(ANYTHING))) + r"\n"
            for line in self.printed
        ]
        return re.compile("".join(lines))


def files() -> dict[str, str]:
    """By name, the files that the tutorial has somebody save: their first line is a comment that names them."""
    blocks = [text for kind, text in BLOCK.findall(TUTORIAL.read_text()) if kind != "console"]
    return {text.split("\n", 1)[0].removeprefix("# "): text for text in blocks}


def steps() -> Iterator[Step]:
    """The commands in their order."""
    for kind, text in BLOCK.findall(TUTORIAL.read_text()):
        if kind == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                lines = part.splitlines()
                more = [line for line in lines[1:] if line.startswith("> ")]
                command = "\n".join([lines[0], *(line.removeprefix("> ") for line in more)])
                yield Step(command, tuple(lines[1 + len(more) :]))


class Shell:
    """One bash for all commands, as in somebody's terminal: variables and what runs in the background stay."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, command: str) -> str:
        """What the command prints, on either output, once it is over."""
        reads, writes, end = self._process.stdout, self._process.stdin, f"over-{uuid4()}"
        assert reads is not None
        assert writes is not None
        writes.write(f"{command}\necho {end}\n".encode())
        await writes.drain()
        printed: list[str] = []
        async with asyncio.timeout(COMMAND_SECONDS_MAX):
            while (line := (await reads.readline()).decode()) != f"{end}\n":
                assert line, f"the shell has ended: {''.join(printed)}"
                printed.append(line)
        return "".join(printed)


@asynccontextmanager
async def shell_in(folder: Path) -> AsyncIterator[Shell]:
    """A bash in a folder, with nothing of the system in its environment."""
    process = await asyncio.create_subprocess_exec(
        "bash",
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield Shell(process)
    finally:
        # What a failed step left in the background goes, too.
        os.killpg(process.pid, 9)
        await process.wait()


@pytest.fixture
def checkout(own_world: World, tmp_path: Path) -> Path:
    """A folder that is to the commands what the checkout is after `make up`, with the tutorial's files in it."""
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / ".devstack").symlink_to(own_world.stack.options.state_dir.resolve())
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.timeout(240)
async def test_every_command_of_the_tutorial_prints_what_stands_there(checkout: Path) -> None:
    async with shell_in(checkout) as shell:
        for step in steps():
            printed = await shell.run(step.command)
            assert step.pattern.fullmatch(printed), f"$ {step.command}\n{printed}\n-- expected:\n{step.printed}"


def test_a_tool_is_a_short_file_and_no_line_of_the_tutorial_is_long() -> None:
    assert sorted(files()) == ["directions.py", "sendDirections.toml"]
    assert len(files()["sendDirections.toml"].splitlines()) <= LINES_MAX
    assert max(map(len, TUTORIAL.read_text().splitlines())) <= COLUMNS_MAX


def test_an_output_that_differs_is_noticed() -> None:
    step = Step("say", ("one …", ANYTHING, "last"))
    assert step.pattern.fullmatch("one moment\nand\nmore\nlast\n")
    assert step.pattern.fullmatch("one \nlast\n")
    assert step.pattern.fullmatch("one\nlast\n") is None
    assert step.pattern.fullmatch("one moment\nlast\nand more\n") is None
    assert Step("say", ()).pattern.fullmatch("a warning\n") is None
