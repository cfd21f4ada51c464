"""What is really typed for a command of a page: its words are filled in, and what is optional is tried both ways."""

import re
from collections.abc import Iterator
from typing import Final
from uuid import uuid4

from tests.support.docs_commands import TREES, path_of, tree_of
from tests.support.docs_list import CommandRun

from .prepared import Prepared, Terminal

REASON: Final = '"trying the documentation"'
OPTIONS: Final = {"--code": "TS-301", "--org": "ORG", "--since": "2h", "--type": "ToolsSynced", "--reason": REASON}
"""What stands for `…` behind an option."""
EXAMPLES: Final = {
    "<org id>": "ORG",
    "01a2291d-cf25-764c-a6b7-ad72bcf7bc02": "ORG",
    "b183206a": "ROLLOUT",
    "2026-12-24": "DATE",
    "TS-…": "TS-301",
    "'https://…'": "'https://directions.invalid/'",
    "'sendDirections'": "'sendDirectionsBySql'",
    "PASSWORD '…'": "PASSWORD 'of-maria'",
}
"""Ids and dates of the pages' examples, and for which word they stand."""
_STATEMENTS: Final = ("INSERT", "UPDATE", "CREATE", "GRANT")


def typed(step: CommandRun, text: str, prepared: Prepared, place: Terminal) -> Iterator[str]:
    """The lines that are typed, one after the other, for what a page has in one."""
    if text.split()[0] in _STATEMENTS:
        quoted = _example(text, place).replace("'\\''", "'").replace('"', '\\"')
        yield f'psql -v ON_ERROR_STOP=1 -d tool_sync -c "{quoted}"'
        return
    for variant in _variants(text):
        yield _filled(_example(variant, place), step, prepared)


def _variants(text: str) -> Iterator[str]:
    """`[X]` is left out and given; of `A|B` each is given."""
    if optional := re.search(r" ?\[(-?-?[\w@. ]+)\]", text):
        given = (" " if optional[0].startswith(" ") else "") + optional[1]
        for part in ("", given):
            yield from _variants(text[: optional.start()] + part + text[optional.end() :])
    elif choice := re.search(r"\b[A-Z]+(?:\|[A-Z]+)+\b", text):
        for part in choice[0].split("|"):
            yield from _variants(text.replace(choice[0], part, 1))
    else:
        yield text


def _example(text: str, place: Terminal) -> str:
    for example, word in {**EXAMPLES, **place.literals}.items():
        text = text.replace(example, word)
    return text


def _filled(text: str, step: CommandRun, prepared: Prepared) -> str:
    for option, value in OPTIONS.items():
        text = re.sub(rf"{option} (…|TEXT)", f"{option} {value}", text)
    words = text.split()
    if words[0] in TREES and " --reason" not in text and _wants_a_reason(words):
        text += f" --reason {REASON}"

    def stands_for(found: re.Match[str]) -> str:
        word = step.words.get(found[0], found[0])
        if word == "FILE" and words[0] == "tool-sync":
            return prepared.file_of("sendDirections" if words[1] == "ship" else f"send{uuid4().hex[:6]}")
        return prepared.words.get(word, word)

    return re.sub(r"(?<![\w$.])(HOST:PORT|[A-Z][A-Z0-9_]*)(?![\w=.])", stands_for, text)


def _wants_a_reason(words: list[str]) -> bool:
    return any(param.name == "reason" and param.required for param in tree_of(path_of(words)).params)
