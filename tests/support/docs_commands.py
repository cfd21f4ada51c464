"""Every command that a page of the documentation has somebody type: in its blocks, its tables and its sentences.

What stands in a block is read as a shell reads it: a command may go on over lines, and a comment ends it, as do two
spaces, behind which some pages say what it does. Of tables a command's neighbours are read, too: after
``tool-sync rollout plan TOOL@V`` a ``status`` is ``tool-sync rollout status``.
"""

import re
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from assistant_api.cli.app import app as assistant_api
from tool_sync.cli.app import app as tool_sync

ROOT: Final = Path(__file__).parents[2]
SITE: Final[dict[str, Any]] = runpy.run_path(str(ROOT / "deploy/docs/build.py"))
OF_THEIR_TIME: Final = ("docs/adr/", "CHANGELOG.md")
"""What was decided and done, in the words of its day; nobody is told to type it."""
PROGRAMS: Final = (
    "tool-sync", "assistant-api", "vapi-sandbox", "create-topics", "make", "sh", "python", "pytest", "eval", "export",
    "exec",
    "curl", "tail", "psql", "pg_dump", "pg_dumpall", "pg_restore", "openssl", "helm", "docker", "docker-compose",
)  # fmt: skip
TREES: Final[dict[str, Any]] = {
    "tool-sync": typer.main.get_command(tool_sync),
    "assistant-api": typer.main.get_command(assistant_api),
}

NAMES: Final = ("create-topics", "make backup", "make restore")
"""What sentences name of the other programs without what it needs."""

_REASON: Final = re.compile(r" --reason (\"[^\"]*\"|TEXT|…)")
_SET: Final = r"(?:[A-Z_]+=(?:\"(?:\$\([^)]*\)|[^\"])*\"|\$\([^)]*\)|\S+)\s+)*"
_COMMAND: Final = re.compile(rf"{_SET}(?:\.venv/bin/)?(?:{'|'.join(PROGRAMS)})\s|[A-Z]+=\$\(")
_STATEMENT: Final = re.compile(r"INSERT |UPDATE |CREATE ROLE |GRANT ")
_NO_COMMAND: Final = re.compile(r"\[\[?[\w.]+\]\]?$|[\w]+ = |[A-Z_]+=[^$\s]+|\{|VALUES |<")
"""What else stands in a block: a tool's file or stages, settings, an answer, a statement's second line, HTML."""
_FENCE: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`([^`]+)`")
_SHELLS: Final = ("sh", "bash", "console")


@dataclass(frozen=True, slots=True)
class PageCommand:
    """A command as a page has it, and what the page shows that it prints."""

    page: str
    text: str
    shown: tuple[str, ...] = ()
    in_block: bool = True


class UnknownLine(Exception):
    """A block begins with a line of which nobody knows whether it is a command. Write its program into `PROGRAMS`."""


def pages() -> list[str]:
    """The site's pages that tell somebody to do something."""
    return [page for page in SITE["pages"]() if not page.startswith(OF_THEIR_TIME)]


def commands_of(page: str) -> list[PageCommand]:
    """The commands of a page: those of its blocks first, each group in its order."""
    return list(read(page, (ROOT / page).read_text()))


def read(page: str, text: str) -> Iterator[PageCommand]:
    """The commands of a page with this text. Raises `UnknownLine`."""
    for kind, block in _FENCE.findall(text):
        if kind in _SHELLS:
            yield from _of_block(page, block)
        elif not kind:  # drawings, mostly
            yield from (PageCommand(page, _code(line)) for line in block.splitlines() if _COMMAND.match(line))
    text = _FENCE.sub("", text)
    for block in _indented(text):
        first = block.split("\n", 1)[0].removeprefix("$ ")
        if _is_command(first):
            yield from _of_block(page, block)
        elif not _NO_COMMAND.match(first):
            raise UnknownLine(f"{page}: {first}")
    for line in _sentences(text):
        yield from _of_sentence(page, line)


def _indented(text: str) -> Iterator[str]:
    """Blocks of code by their indentation, without it: by four columns, or by more in a list."""
    depth: int | None = None
    found: list[str] = []
    before = ""
    for line in [*text.splitlines(), "end"]:
        margin = len(line) - len(line.lstrip())
        if depth is None and margin >= 4 and not before.strip():
            depth = margin
        if depth is not None and (margin >= depth or (not line.strip() and found)):
            found.append(line[depth:])
        elif depth is not None:
            yield "\n".join(found).strip("\n")
            depth, found = None, []
        before = line


def _of_block(page: str, block: str) -> Iterator[PageCommand]:
    lines = block.splitlines()
    typed = any(line.startswith("$ ") for line in lines)
    while lines:
        line = lines.pop(0)
        if not line.strip() or line.startswith("#") or (typed and not line.startswith("$ ")):
            continue
        if not typed and not _is_command(line):
            if _NO_COMMAND.match(line) or line.startswith("  "):
                continue
            raise UnknownLine(f"{page}: {line}")
        line = line.removeprefix("$ ")
        while lines and (_is_open(_code(line)) or lines[0].startswith("> ")):
            line += "\n" + lines.pop(0).removeprefix("> ")
        shown = []
        while typed and lines and not lines[0].startswith("$ "):
            shown.append(lines.pop(0))
        yield PageCommand(page, _code(line), tuple(shown))


def _is_command(line: str) -> bool:
    return bool(_COMMAND.match(line + " ") or _STATEMENT.match(line))


def _is_open(line: str) -> bool:
    """Whether a command goes on in the next line."""
    in_statement = line.startswith("INSERT ") and not line.endswith(";")
    return _quoted(line)[-1] != "" or line.endswith("\\") or in_statement


def _quoted(line: str) -> list[str]:
    """For each place of a line the quote that is open there, and behind its end."""
    found, quote = [], ""
    for char in line:
        found.append(quote)
        if char in "'\"" and quote in ("", char):
            quote = "" if quote else char
    return [*found, quote]


def _code(line: str) -> str:
    """A line without its comment, or what a page says behind two spaces; a command that goes on becomes one line."""
    line = re.sub(r"\\\n\s*", "", line)
    quoted = _quoted(line)
    for place in re.finditer(r" #| {2,}\S| -- ", line):
        if not quoted[place.start()]:
            return line[: place.start()].rstrip()
    return line.rstrip()


def _sentences(text: str) -> Iterator[str]:
    """Paragraphs, and the cells of tables, each by itself."""
    for paragraph in re.split(r"\n\s*\n", text):
        if paragraph.lstrip().startswith("|"):
            for row in paragraph.splitlines():
                yield from re.split(r"(?<!\\)\|", row)
        else:
            yield paragraph


def _of_sentence(page: str, sentence: str) -> Iterator[PageCommand]:
    is_cell = "\n" not in sentence
    group: list[str] = []
    for code in _INLINE.findall(sentence):
        text = " ".join(code.replace("\\|", "|").split())
        words = text.split()
        if words[0] in TREES and len(words) > 1:
            path = path_of(words)
            if len(path) > 1 or words[1].startswith("-"):
                group = path[:-1] if not getattr(tree_of(path), "commands", None) else path
                yield PageCommand(page, text, in_block=False)
        elif _COMMAND.match(text + " ") and (len(words) > 1 or text == "create-topics"):
            yield PageCommand(page, text, in_block=False)
        elif is_cell and group:
            for place in (group, group[:1]):
                if words[0] in getattr(tree_of(place), "commands", {}):
                    yield PageCommand(page, " ".join([*place, text]), in_block=False)
                    break


def tree_of(path: list[str]) -> Any:
    """The command, or group of commands, that these words lead to."""
    found = TREES[path[0]]
    for word in path[1:]:
        found = found.commands[word]
    return found


def path_of(words: list[str]) -> list[str]:
    """The words of a command that name it, its program included."""
    path = words[:1]
    for word in words[1:]:
        if word not in getattr(tree_of(path), "commands", {}):
            break
        path.append(word)
    return path


def is_a_name(text: str) -> bool:
    """Whether a sentence only names a command that needs more to be run, as ``tool-sync rollout status``."""
    words = text.split()
    if words[0] not in TREES or path_of(words) != words:
        return text in NAMES
    found = tree_of(words)
    needed = (param for param in found.params if param.required and not param.envvar and param.name != "reason")
    return bool(getattr(found, "commands", None)) or any(needed)


def key_of(text: str) -> str:
    """The command without its reason, in one line: what says the same in other words is the same command."""
    return " ".join(_REASON.sub("", text).split())
