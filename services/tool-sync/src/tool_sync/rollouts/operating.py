"""What people do with tools and rollouts, each once: the command line and HTTP are edges of the same functions.

Asked again after a failure, a command is decided on what the first one made: it is refused by the state that it wanted.
"""

from tool_sync.db import Connection
from tool_sync.domain.events import BlueprintPublished
from tool_sync.domain.fleet.rollout import Refused, RolloutCommand, decide_rollout
from tool_sync.domain.fleet.work import CALLS_PER_ASSISTANT
from tool_sync.log import Log, rollout_stream, tool_stream
from tool_sync.publishing.document import Installation
from tool_sync.publishing.tool_file import ToolFile
from tool_sync.rollouts.command import Decide, Written, write
from tool_sync.rollouts.publish import published
from zerotouch_platform.postgres.installation import read_installation


async def command_rollout(
    log: Log, rollout_id: str, what: RolloutCommand, *, reason: str, actor: str
) -> Written | Refused:
    """Pause, resume, promote, abort or roll back a rollout."""
    return await write(
        log, rollout_stream(rollout_id), lambda fleet: decide_rollout(fleet, rollout_id, what, reason=reason),
        actor=actor,
    )  # fmt: skip


async def command_tool(log: Log, name: str, decide: Decide, *, actor: str) -> Written | Refused:
    """Halt, resume or withdraw something of a tool: one of the deciders of :mod:`.publish`."""
    return await write(log, tool_stream(name), decide, actor=actor)


async def publish_tool(
    connection: Connection,
    log: Log,
    tool: ToolFile,
    server_url: str,
    credential_id: str | None,
    *,
    actor: str,
    reason: str | None = None,
) -> BlueprintPublished | Refused:
    """Publish a file without problems as the tool's next version. Raises ``AppendRejected`` where it is too large."""
    installation = Installation(server_url, await read_installation(connection), credential_id)
    done = await command_tool(log, tool.name, lambda fleet: published(fleet, tool, installation, reason), actor=actor)
    if isinstance(done, Refused):
        return done
    assert isinstance(done.event, BlueprintPublished)
    return done.event


def calls_of_halt(assistants: int) -> int:
    """The calls of Vapi's that it takes to unlink a tool from so many assistants."""
    return CALLS_PER_ASSISTANT * assistants
