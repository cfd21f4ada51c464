"""Every command of the documentation that no other test runs, run as it is printed; `commands.toml` is the list."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from tests.faults.unrest import AT_WORK, NOT_AS_ORDERED
from tests.support.docs_commands import ROOT, PageCommand, key_of
from tests.support.docs_list import CommandRun, all_commands, known
from tests.support.eventually import eventually, until
from tests.support.sandbox_process import sandbox_process
from tests.support.widths import too_wide

from devstack import postgres

from ..test_walkthrough import alone_on_the_demos_ports
from ..world import World
from .prepared import Prepared, Terminal, checkout, checkout_of, place_of_copy, place_of_stand_in, prepared, shell_of
from .typed import typed

README = ROOT / "README.md"
COMMANDS_OF_OURS = re.compile(r"(tool-sync|assistant-api) (?!run\b|console\b)(?!.*--json\b)")
"""Whose output is for people: no log lines, no JSON."""
SECONDS_MAX = 60.0
AT_ONCE = 4
INTERRUPTED = (0, 130, -signal.SIGINT)
"""How a command may end that goes on until Ctrl-C."""


_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\W*|[0-9a-f]{8}\W*")
_OTHER = {"…": ".*"}


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """What became of a command."""

    status: int | None
    out: str
    err: str


async def run(line: str, place: Terminal, folder: Path) -> CommandEnd:
    """Run a command to its end, as in a terminal of 80 columns in which questions are answered with yes."""
    shell = await asyncio.create_subprocess_exec(
        "bash", "-eo", "pipefail", "-c", "\n".join([*place.exported, line]),
        cwd=folder, env=place.env, start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    ending = asyncio.create_task(shell.communicate(b"y\n"))
    await asyncio.wait([ending], timeout=SECONDS_MAX)
    if shell.returncode is None:
        os.killpg(shell.pid, signal.SIGKILL)
    out, err = await ending
    return CommandEnd(shell.returncode, out.decode(), err.decode())


async def run_until(
    line: str, is_enough: Callable[[str], Awaitable[bool]], place: Terminal, folder: Path
) -> CommandEnd:
    """Run a command that goes on by itself until it has printed or done enough; then it gets Ctrl-C."""
    ours, theirs = os.openpty()
    shell = await asyncio.create_subprocess_exec(
        "bash", "-eo", "pipefail", "-c", "\n".join([*place.exported, line]),
        cwd=folder, env=place.env, start_new_session=True,
        stdin=asyncio.subprocess.DEVNULL, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    printed: list[str] = []
    reading = asyncio.create_task(asyncio.to_thread(_read_all, ours, printed))

    async def enough() -> bool:
        return shell.returncode is not None or await is_enough("".join(printed))

    was_enough = await until(enough, SECONDS_MAX) and shell.returncode is None
    if shell.returncode is None:
        os.killpg(shell.pid, signal.SIGINT)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            status = await shell.wait()
    finally:
        if shell.returncode is None:
            os.killpg(shell.pid, signal.SIGKILL)
            await shell.wait()
        await reading
        os.close(ours)
    return CommandEnd(status if was_enough else None, "".join(printed), "".join(printed))


def _read_all(descriptor: int, printed: list[str]) -> None:
    """Read a terminal until the last one that had it open is gone."""
    with suppress(OSError):
        while read := os.read(descriptor, 65_536):
            printed.append(read.decode(errors="replace"))


async def is_enough_of(step: CommandRun, at: Prepared, printed: str) -> bool:
    """Whether a command that goes on by itself has done what it is there for."""
    if step.joins:
        groups = await at.world.kafka.describe_consumer_groups([step.joins])
        return "Stable" in str(groups)
    return re.search(step.until, printed) is not None


def shown(line: str) -> re.Pattern[str]:
    """What a line of a page stands for in what is printed here: other numbers, other ids, other stages.

    With other numbers a line is folded at another word, so what it begins with may stand within one.
    """
    words = re.sub(r"\(.*\)", "(…)", line).split()
    return re.compile(r"(?:^|\s)" + r"\s+".join(map(_shown_word, words)), re.MULTILINE)


def _shown_word(word: str) -> str:
    if word.startswith("operator:"):
        return r"operator:\S+"
    if _ID.fullmatch(word):
        return r"\S+"
    parts = re.split(r"(\d[\d,.:-]*|…)", word)
    return "".join(
        re.escape(part) if number % 2 == 0 else _OTHER.get(part, r"[\d,.:-]+") for number, part in enumerate(parts)
    )


async def as_ordered(world: World) -> None:
    """Waits until every clinic is as its tools are ordered, and none is being worked on."""

    async def nothing_moves() -> bool:
        return bool(await world.log_db.fetchval(f"SELECT {NOT_AS_ORDERED} + {AT_WORK} = 0"))

    await eventually(nothing_moves, within_seconds=SECONDS_MAX)


async def carry_out(step: CommandRun, command: PageCommand | None, at: Prepared) -> list[str]:
    """Type a step's command, in each of its forms; what of it is not as the page or the list says."""
    place, wrong = at.places[step.at], []
    if step.heals:
        await at.world.vapi.dial([])
    if step.rests:
        await as_ordered(at.world)
    for line in typed(step, command.text if command else step.run, at, place):
        if step.goes_on:
            ended = await run_until(line, partial(is_enough_of, step, at), place, at.folder)
        else:
            ended = await run(line, place, at.folder)
        if line.startswith(("export ", "eval ")):
            place.exported.append(line)
        said = f"$ {line}\n{ended.out}{'' if step.goes_on else ended.err}"
        if ended.status not in (INTERRUPTED if step.goes_on else (step.status,)):
            wrong.append(f"status {ended.status}: {said}")
        if "Traceback (most recent call last)" in ended.err:
            wrong.append(f"a traceback: {said}")
        found = re.search(re.escape(at.words[step.says]) if step.says in at.words else step.says, ended.out + ended.err)
        if found is None:
            wrong.append(f"no {step.says}: {said}")
        elif found.groupdict():
            at.words.update(found.groupdict())
        if COMMANDS_OF_OURS.match(line) and (wide := too_wide(ended.out)):
            wrong.append("wider than 80 columns: " + "\n".join([*wide, said]))
        missing = [line for line in (command.shown if command else ()) if not shown(line).search(ended.out)]
        if missing and step.status == ended.status:
            wrong.append("the page shows what is not printed: " + "\n".join([*missing, said]))
    return wrong


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def at(own_world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prepared]:
    """The running system, and beside it a server on which nothing runs and a stand-in of Vapi's of its own."""
    at = await prepared(own_world, checkout_of(own_world, tmp_path_factory.mktemp("docs")))
    (at.folder / "booking.toml").write_text(booking_file())
    server = await postgres.start(at.folder / "copy", fsync=False)
    at.places["copy"] = place_of_copy(at, server)
    try:
        with sandbox_process() as url:
            async with httpx.AsyncClient(base_url=url, headers={"authorization": "Bearer sandbox-private-key"}) as vapi:
                tool = await vapi.post(
                    "/tool", json={"type": "function", "function": {"name": "bookClinicAppointment"}}
                )
                model = {"provider": "openai", "model": "gpt-4o", "toolIds": [tool.json()["id"]]}
                assistant = await vapi.post("/assistant", json={"name": "Front desk", "model": model})
            at.places["sandbox"] = place_of_stand_in(at, url, assistant.json()["id"])
            yield at
    finally:
        await server.stop()


def booking_file() -> str:
    """The README's `booking.toml`."""
    text = README.read_text()
    block = text.split("That is a file, `booking.toml`:\n\n")[1].split("\n\nand one command")[0]
    return "\n".join(line.removeprefix("    ") for line in block.splitlines()) + "\n"


@pytest.mark.timeout(600)  # three minutes on two free cores; others may have them
async def test_every_command_of_the_documentation_does_what_its_page_says(at: Prepared) -> None:
    in_pages: dict[str, PageCommand] = {}
    for command in all_commands():
        if command.shown or key_of(command.text) not in in_pages:
            in_pages[key_of(command.text)] = command
    at_once = asyncio.Semaphore(AT_ONCE)

    async def read(step: CommandRun) -> list[str]:
        async with at_once:
            return await carry_out(step, in_pages.get(step.key), at)

    wrong = [it for found in await asyncio.gather(*map(read, known().reads)) for it in found]
    for step in known().steps:
        wrong += await carry_out(step, in_pages.get(step.key), at)
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.timeout(240)
async def test_the_stack_of_make_up_is_the_one_that_the_pages_mean(tmp_path: Path) -> None:
    """By the ports that the pages have, and by free ones."""
    place = Terminal(shell_of(tmp_path) | {"HOME": str(Path.home())})  # Kafka's jars are in the user's cache
    checkout(tmp_path)
    async with alone_on_the_demos_ports():
        for up, down, asked in (
            ("make up", "make down", "localhost:3001"),
            ("python -m devstack up", "python -m devstack down", "$ASSISTANT_API_URL"),
        ):
            try:
                assert (await run(up, place, tmp_path)).status == 0
                status = await run("python -m devstack status", place, tmp_path)
                assert status.status == 0, status
                ready = await run(f'eval "$(.venv/bin/devstack env)"; curl -sf {asked}/readyz', place, tmp_path)
                assert ready.status == 0, ready
            finally:
                ended = await run(down, place, tmp_path)
            assert ended.status == 0, ended
            assert (await run("python -m devstack status", place, tmp_path)).status == 1
