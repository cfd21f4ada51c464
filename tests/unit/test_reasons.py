"""Who gives a command that writes says why, in both services."""

from typing import Any

import pytest
import typer

from assistant_api.access_log.entry import reason_problem as of_assistant_api
from assistant_api.cli.app import app as assistant_api
from tool_sync.cli.app import app as tool_sync
from tool_sync.domain.tool_setting import reason_problem as of_tool_sync

from .test_help import commands

READERS = {
    "assistant-api": {"access list", "lost list", "token list", "vapi-keys list"},
    "tool-sync": {
        "access list", "tools", "history", "coverage", "why", "explain", "check", "words", "errors", "doctor",
        "tail", "describe", "support-bundle",
        "audit", "lost list", "failures list", "failures show", "dead-letters list", "dead-letters show",
        "projection verify", "log verify", "log decisions", "log heads", "log archive", "log verify-archive",
        "window show", "org find", "org pins",
        "org wanted", "blueprint lint", "blueprint list", "blueprint show", "blueprint diff", "blueprint contract",
        "blueprint contracts", "blueprint requests", "rollout list", "rollout status", "rollout orgs",
        "rollout watch", "token list", "notices show", "status-links list",
    },
}  # fmt: skip
"""They write nothing."""
WITHOUT = {
    "assistant-api": {"run", "migrate"},
    "tool-sync": {"run", "console", "migrate", "rollout plan"},
}
"""A service and its schema are the release's; a plan is kept, and nothing follows from it until it is applied."""
COMMANDS = [
    (name, " ".join(path), command)
    for name, app in (("assistant-api", assistant_api), ("tool-sync", tool_sync))
    for name, path, command in commands(name, typer.main.get_command(app))
    if not hasattr(command, "commands")
]


@pytest.mark.parametrize(("name", "words", "command"), COMMANDS, ids=[f"{name} {words}" for name, words, _ in COMMANDS])
def test_a_command_that_writes_asks_for_a_reason(name: str, words: str, command: Any) -> None:
    reasons = [param for param in command.params if param.name == "reason"]
    if words in READERS[name] | WITHOUT[name]:
        assert reasons == []
    else:
        (reason,) = reasons
        assert reason.required
        assert reason.opts == ["--reason"]


@pytest.mark.parametrize(
    ("reason", "is_kept"),
    [
        ("the clinic asked", True), ("Rückfrage, 2026-11-28", True), ("TOOL@3 is wrong", True), ("x" * 200, True),
        ("x" * 201, False), ("", False), (" ", False), ("a\nb", False), ("a\x00b", False), ("a\x1b[1mb", False),
        ("call +49 151 23456789", False), ("(030) 123-456-789", False), ("mail lee@clinic.example", False),
    ],
)  # fmt: skip
def test_both_services_keep_the_same_reasons(reason: str, is_kept: bool) -> None:
    assert (of_assistant_api(reason) is None, of_tool_sync(reason) is None) == (is_kept, is_kept)


@pytest.mark.parametrize("reason", ["\ud800", "1" * 100_000, "1 " * 100_000, "a@" * 100_000])
def test_what_cannot_be_stored_or_is_long_is_no_reason(reason: str) -> None:
    assert of_assistant_api(reason) is not None
