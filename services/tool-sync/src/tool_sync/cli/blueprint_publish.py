"""``tool-sync blueprint publish | withdraw | halt | resume``: what each writes, and what it says then."""

from pathlib import Path

from tool_sync.admin.operator import ACTOR
from tool_sync.cli.blueprint_lint import lint_lines
from tool_sync.cli.connected import NotFound, log_of
from tool_sync.cli.options import EXIT_FOUND
from tool_sync.cli.rollout_apply import refuse
from tool_sync.db import Connection
from tool_sync.domain.events import BlueprintPublished
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.log import AppendRejected
from tool_sync.publishing.lint import lint
from tool_sync.publishing.resolving import resolve
from tool_sync.publishing.tool_file import ToolFile, read_tool_file
from tool_sync.rollouts.command import Decide, tool_stream, write
from tool_sync.rollouts.publish import Installation, halted, published
from tool_sync.rollouts.status import linked
from zerotouch_platform.postgres.installation import read_installation


async def publish_file(
    connection: Connection,
    database_url: str,
    file: Path,
    server_url: str,
    credential_id: str | None,
    *,
    loopback_allowed: bool,
) -> int:
    """Lint it, and publish it where nothing is wrong; returns the exit status."""
    tool = await linted(file, loopback_allowed=loopback_allowed)
    if tool is None:
        return EXIT_FOUND
    done = await publish_tool(connection, database_url, tool, server_url, credential_id)
    if isinstance(done, Refused):
        return refuse(done)
    print(f"version {done.version} of {done.name} is published; no clinic has it yet")
    print(f"to order it: tool-sync rollout plan {done.name}@{done.version}")
    return 0


async def linted(file: Path, *, loopback_allowed: bool) -> ToolFile | None:
    """The file's tool; None where something is wrong, and that was printed."""
    try:
        reading = read_tool_file(file)
    except OSError as caught:
        raise NotFound(f"{file} cannot be opened: {caught.strerror}") from caught
    report = await lint(reading, resolve, loopback_allowed=loopback_allowed)
    print("\n".join(lint_lines(file.name, report)))
    return None if report.problems else reading.tool


async def publish_tool(
    connection: Connection, database_url: str, tool: ToolFile, server_url: str, credential_id: str | None
) -> BlueprintPublished | Refused:
    """The version that it became. Raises :class:`NotFound` where the log cannot hold it."""
    installation = Installation(server_url, await read_installation(connection), credential_id)
    async with log_of(database_url) as log:
        try:
            done = await write(
                log, tool_stream(tool.name), lambda fleet: published(fleet, tool, installation), actor=ACTOR
            )
        except AppendRejected as rejected:
            raise NotFound(
                f"{tool.name} is too large for the log, which keeps it for ever: {rejected.reason}"
            ) from rejected
    if isinstance(done, Refused):
        return done
    assert isinstance(done.event, BlueprintPublished)
    return done.event


async def write_about(database_url: str, name: str, decide: Decide, done: str) -> int:
    """Write what is decided about a tool, and say that it is done; returns the exit status."""
    async with log_of(database_url) as log:
        written = await write(log, tool_stream(name), decide, actor=ACTOR)
    if isinstance(written, Refused):
        return refuse(written)
    print(done)
    return 0


async def halt_tool(connection: Connection, database_url: str, name: str, reason: str) -> int:
    """Halt it, and say what that takes; returns the exit status."""
    clinics, assistants = await linked(connection, name)
    done = (
        f"{name} is halted: it is unlinked from {assistants:,} assistants of {clinics:,} clinics, with "
        f"{2 * assistants:,} calls, ahead of all bulk work"
    )
    return await write_about(database_url, name, lambda fleet: halted(fleet, name, reason), done)
