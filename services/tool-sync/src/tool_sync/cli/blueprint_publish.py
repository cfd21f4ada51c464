"""``tool-sync blueprint publish | withdraw | halt | resume``: what each writes, and what it says then."""

from functools import partial
from pathlib import Path

from tool_sync.admin.operator import ACTOR
from tool_sync.cli.blueprint_lint import lint_lines
from tool_sync.cli.connected import log_of
from tool_sync.cli.exits import NotFound
from tool_sync.cli.output import print_line, print_lines
from tool_sync.cli.rollout_apply import unless_refused
from tool_sync.db import Connection
from tool_sync.domain.events import BlueprintPublished
from tool_sync.log import AppendRejected
from tool_sync.publishing.lint import lint
from tool_sync.publishing.resolving import resolve
from tool_sync.publishing.tool_file import read_tool_file
from tool_sync.rollouts import operating
from tool_sync.rollouts.command import Decide
from tool_sync.rollouts.pins import pinned_to
from tool_sync.rollouts.publish import halted, withdrawn
from tool_sync.rollouts.status import linked


async def publish_file(
    connection: Connection,
    database_url: str,
    file: Path,
    server_url: str,
    credential_id: str | None,
    reason: str,
    *,
    loopback_allowed: bool,
) -> BlueprintPublished | None:
    """Lint the file, print what came of it, and publish it; None where something is wrong with it.

    Raises :class:`NotFound` where it cannot be opened, or the log cannot hold it.
    """
    try:
        reading = read_tool_file(file)
    except OSError as caught:
        raise NotFound(f"{file} cannot be opened: {caught.strerror}") from caught
    report = await lint(reading, resolve, loopback_allowed=loopback_allowed)
    print_lines(lint_lines(file.name, report))
    tool = reading.tool
    if report.problems or tool is None:
        return None
    async with log_of(database_url) as log:
        try:
            done = await operating.publish_tool(
                connection, log, tool, server_url, credential_id, actor=ACTOR, reason=reason
            )
        except AppendRejected as rejected:
            raise NotFound(
                f"{tool.name} is too large for the log, which keeps it for ever: {rejected.reason}"
            ) from rejected
    return unless_refused(done)


async def write_about(_connection: Connection, database_url: str, name: str, decide: Decide, done: str) -> None:
    """Write what is decided about a tool, and say that it is done."""
    async with log_of(database_url) as log:
        unless_refused(await operating.command_tool(log, name, decide, actor=ACTOR))
    print_line(done)


async def withdraw_version(connection: Connection, database_url: str, name: str, number: int, reason: str) -> None:
    """Withdraw it, unless an order that stands gives it or a clinic is pinned to it."""
    pinned = await pinned_to(connection, name, number)
    done = f"version {number} of {name} is withdrawn"
    decide = partial(withdrawn, name=name, number=number, reason=reason, pinned=pinned)
    await write_about(connection, database_url, name, decide, done)


async def halt_tool(connection: Connection, database_url: str, name: str, reason: str) -> None:
    """Halt it, and say what that takes."""
    clinics, assistants = await linked(connection, name)
    done = (
        f"{name} is halted: it is unlinked from {assistants:,} assistants of {clinics:,} clinics, with "
        f"{operating.calls_of_halt(assistants):,} calls, ahead of all bulk work"
    )
    await write_about(connection, database_url, name, lambda fleet: halted(fleet, name, reason), done)
