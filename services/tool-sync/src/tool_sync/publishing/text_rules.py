"""Rules for all text of a file, wherever it stands: no Liquid, and nothing that PostgreSQL cannot hold."""

from typing import Any, Final

from tool_sync.publishing.json_value import walk
from tool_sync.publishing.lint_problem import LintProblem
from zerotouch_contracts.text import require_storable

_LIQUID: Final = ("{{", "{%")
"""Vapi replaces these by what the call has at that moment (docs.vapi.ai/tools/static-variables-and-aliases, read
2026-11-29): a text that depends on the call could not be compared with what was published."""


def text_problems(value: Any, path: str) -> list[LintProblem]:
    """What is wrong with the texts of a value, keys included; one problem a text."""
    found = []
    for where, inner, _ in walk(value, path):
        texts = [inner] if isinstance(inner, str) else list(inner) if isinstance(inner, dict) else []
        found += [problem for text in texts if (problem := _problem(where, text))]
    return found


def _problem(where: str, text: str) -> LintProblem | None:
    for mark in _LIQUID:
        if mark in text:
            return LintProblem(where, f"holds {mark}, which Vapi replaces during a call", "write the text itself")
    try:
        require_storable(text)
    except ValueError as error:
        # A path is printed: what cannot be encoded must not be part of it.
        return LintProblem(where.encode(errors="replace").decode(), str(error), "leave the character out")
    return None
