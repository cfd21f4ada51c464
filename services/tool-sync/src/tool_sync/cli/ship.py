"""``tool-sync ship FILE``: one fix for every clinic, with one command."""

from typing import TYPE_CHECKING

from tool_sync.cli.blueprint import FileArgument, refuse_loopback
from tool_sync.cli.ending import end_connected
from tool_sync.cli.exits import EXIT_FOUND
from tool_sync.cli.options import CredentialId, DatabaseUrl, Loopback, ReasonNeeded, ServerUrl, VapiUrl
from tool_sync.cli.output import print_line
from tool_sync.cli.rollout import OwnOrgs, PlanRate, PlanShare, Stages, Yes, per_minute

if TYPE_CHECKING:
    from tool_sync.db import Connection


def ship(
    file: FileArgument,
    database_url: DatabaseUrl,
    server_url: ServerUrl,
    reason: ReasonNeeded,
    credential_id: CredentialId = None,
    allow_loopback: Loopback = False,
    vapi_url: VapiUrl = None,
    stages: Stages = "default",
    own_orgs: OwnOrgs = None,
    rate: PlanRate = None,
    share: PlanShare = 0.6,
    yes: Yes = False,
) -> None:
    """Check a tool's file, publish it, show the plan, ask once, and roll it out to every clinic.

    Exit status 1: the file cannot be published, or the rollout did not complete; 3: it was refused.
    """
    refuse_loopback(allow_loopback, vapi_url)

    async def work(connection: "Connection") -> int:
        from tool_sync.cli.blueprint_publish import publish_file
        from tool_sync.cli.rollout_apply import Choice, order_tool, read_stages

        choice = Choice(stages, tuple(own_orgs or ()), per_minute(rate, share), reason, yes)
        read_stages(stages, choice.own_orgs)  # before anything is published
        published = await publish_file(
            connection, database_url, file, server_url, credential_id, reason, loopback_allowed=allow_loopback
        )
        if published is None:
            return EXIT_FOUND
        print_line(f"version {published.version} of {published.name} is published")
        return await order_tool(connection, database_url, published.name, published.version, choice)

    end_connected(database_url, work)
