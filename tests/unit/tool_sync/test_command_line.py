"""The command line as a whole: forms of times, help, exit statuses, and what every command says of a database away."""

import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import typer
from typer.testing import CliRunner

from tool_sync.cli.app import app
from tool_sync.cli.options import parse_time
from tool_sync.cli.output import print_lines
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.times import FORMS

NOW = datetime(2026, 11, 28, 14, 30, 5, tzinfo=UTC)
DAY = datetime(2026, 11, 28, tzinfo=UTC)
NOWHERE = "postgresql://x:secret@127.0.0.1:1/tool_sync"
AWAY = {
    "DATABASE_URL": NOWHERE,
    "MIGRATE_DATABASE_URL": NOWHERE,
    "NOTICES_KEY": b64encode(bytes(32)).decode(),
    "CONSOLE_URL": "https://tools.example.test",
    "CONSOLE_FRAME_ANCESTORS": "https://praxis.example",
}
ARGUMENTS = {
    "ORG": str(uuid4()),
    "TOOL": "bookClinicAppointment",
    "POLICY": "report",
    "ASSISTANT": "assistant",
    "ORG|ASSISTANT": "assistant",
    "ORG|ASSISTANT|TOOL|ROLLOUT": "assistant",
    "AGENT": "agent",
    "ID": "1",
    "NAME": "org_tools",
    "FILE": __file__,
    "TOOL[@V]": "bookClinicAppointment@2",
    "TOOL@V": "bookClinicAppointment@2",
    "ROLLOUT": "rollout",
    "V1": "1",
    "V2": "2",
    "N": "1",
    "HOURS": "22:00-06:00",
    "TEXT": "praxis",
    "URL": "https://praxis.example/zerotouch",
    "JTI": "a-token",
    "LABEL": "praxis.example, front page",
    "LINK": str(uuid4()),
    "DIR": "no-such-folder",
}
WITHOUT_DATABASE = {("run",), ("blueprint", "lint"), ("errors",), ("doctor",)}
VERBS = (
    "Run", "Migrate", "Set", "Show", "List", "Explain", "Check", "Send", "Compare", "Acknowledge",
    "Retry", "Read", "Remove", "Unlink", "Link", "Give", "Rebuild", "Verify", "Publish",
    "Withdraw", "Take", "End", "Start", "Follow", "Pause", "Resume", "Open", "Roll", "Decide", "Order",
    "Keep", "Find", "Serve", "Describe", "Write", "Make",
)  # fmt: skip
EXTRA = {
    "audit": ["--only-topics"], "words": ["--agent", "a"], "fork": ["--yes"], "pin": ["--until", "2026-12-24"],
    "revoke": ["--until", "2026-12-24"],
}  # fmt: skip
OPTIONS = {
    "reason": "a test",
    "to_topic": "topic",
    "position": "0",
    "kafka": "127.0.0.1:1",
    "installation_id": str(uuid4()),
    "server_url": "https://hooks.example.test",
}
OPTIONS |= {
    "vapi_base_url": "http://127.0.0.1:1",
    "vapi_api_key": "key",
    "database_url": NOWHERE,
    "settle_seconds": "0",
}


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its path."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if getattr(command, "commands", None):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands())


def words_of(path: tuple[str, ...]) -> list[str]:
    """The command with all that it must be told, and a database that is away."""
    words = list(path)
    for param in COMMANDS[path].params:
        if param.param_type_name == "argument":
            words += [ARGUMENTS[param.metavar or param.name.upper()]] if param.required else []
        elif param.name in OPTIONS:
            words += [param.opts[0], OPTIONS[param.name]]
    return words + EXTRA.get(path[-1], [])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-28", DAY),
        ("2026-11-28 14:30", DAY + timedelta(hours=14, minutes=30)),
        ("2026-11-28T14:30:00", DAY + timedelta(hours=14, minutes=30)),
        ("2026-11-28T14:30:00.250Z", DAY + timedelta(hours=14, minutes=30, milliseconds=250)),
        ("2026-11-28 14:30:00+02:00", DAY + timedelta(hours=12, minutes=30)),
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("yesterday", DAY - timedelta(days=1)),
        ("Today", DAY),
        ("now", NOW),
    ],
)
def test_a_time_is_taken_as_people_write_it(text: str, meant: datetime) -> None:
    assert parse_time(text, NOW) == meant


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-40", "2 hours", "-2h", "999999d"])
def test_what_is_no_time_is_answered_with_the_forms(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"2026-11-28 14:30.*2h.*yesterday"):
        parse_time(text, NOW)


TIMED = [
    (path, param.name)
    for path, command in COMMANDS.items()
    for param in command.params
    if param.name in ("at", "since", "until")
]


def test_many_commands_take_a_time() -> None:
    assert len(TIMED) >= 9


@pytest.mark.parametrize(("path", "name"), TIMED, ids=str)
def test_every_option_that_takes_a_time_names_the_same_forms(path: tuple[str, ...], name: str) -> None:
    done = CliRunner().invoke(app, [*words_of(path), f"--{name}", "never"])
    said = " ".join(done.stderr.replace("│", " ").split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"'never' is not a time; write it as {FORMS}. Without a zone it is UTC." in said
    assert COMMANDS[path].params[[p.name for p in COMMANDS[path].params].index(name)].metavar == "TIME"


def test_the_version_is_said() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, bool(re.fullmatch(r"tool-sync \d+\.\d+\.\d+\n", done.stdout))) == (0, True)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_help_text_begins_with_a_verb_and_ends_with_a_full_stop(path: tuple[str, ...]) -> None:
    text = COMMANDS[path].help
    assert text.split()[0] in VERBS, text
    assert text.strip().endswith(".")


# A service waits for its database, a doctor looks for it; a file is linted and a code explained without one.
@pytest.mark.parametrize(
    "path", sorted(COMMANDS.keys() - {("run",), ("blueprint", "lint"), ("errors",), ("doctor",)}), ids=" ".join
)
def test_without_a_database_a_command_says_so_in_one_line_and_ends_with_2(path: tuple[str, ...]) -> None:
    words = words_of(path)
    done = CliRunner().invoke(app, words, env=AWAY)
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert done.stderr.strip().startswith("tool-sync: ")
    assert "secret" not in done.output


def test_an_id_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """People choose agents' ids: what rich would make an emoji or a style of must stay what they chose."""
    print_lines(["agent clinic:100:b [bold]"])

    assert capsys.readouterr().out == "agent clinic:100:b [bold]\n"


def test_planning_a_rollout_reads_no_client_of_kafka_or_vapi() -> None:
    heavy = ("aiohttp", "aiokafka", "httpx", "opentelemetry.sdk", "pydantic_settings", "rich", "structlog")
    assert imported_with("tool_sync.cli.rollout_apply", heavy) == "[]"


def test_the_service_has_nothing_in_memory_that_it_does_not_need() -> None:
    """httpx unpacks bodies that come packed and nothing else, pages belong to a console, exporters to a collector."""
    heavy = (
        "httpx",
        "jinja2",
        "opentelemetry.exporter.otlp",
        "requests",
        "rich.progress",
        "tool_sync.console.app",
        "typer.rich_utils",
    )
    assert imported_with("tool_sync.__main__, tool_sync.cli.launch, tool_sync.cli.run", heavy) == "[]"


def imported_with(module: str, names: tuple[str, ...]) -> str:
    """Those of the names that a new process has imported with a module."""
    code = f"import sys, {module}; print([name for name in {names} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_a_code_is_explained_without_a_database_and_a_wrong_one_is_guessed() -> None:
    done = CliRunner().invoke(app, ["errors", "ts-301"])
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "TS-301  tool refused")
    assert set(re.findall("TS-[0-9]+", CliRunner().invoke(app, ["errors"]).stdout)) == {*map(str, ErrorCode)}
    done = CliRunner().invoke(app, ["errors", "301"])
    assert (done.exit_code, done.stderr) == (2, "tool-sync: there is no code 301; did you mean TS-301?\n")
