"""``tool-sync ship FILE``: one fix for every clinic, with one command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.options import (
    CredentialId,
    DatabaseUrl,
    Loopback,
    ReasonNeeded,
    ServerUrl,
    VapiUrl,
)
from tool_sync.cli.rollout import OwnOrgs, PlanRate, PlanShare, Stages, Yes, per_minute, said

if TYPE_CHECKING:
    from tool_sync.db import Connection


def ship(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The tool, as .toml or .json.", exists=True, dir_okay=False)
    ],
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
    from tool_sync.cli.blueprint import refuse_loopback

    refuse_loopback(allow_loopback, vapi_url)
    why = said(reason)

    async def work(connection: "Connection") -> int:
        from tool_sync.cli.blueprint_publish import linted, publish_tool
        from tool_sync.cli.options import EXIT_FOUND
        from tool_sync.cli.ordering import Choice, order_tool
        from tool_sync.cli.rollout_apply import read_stages, refuse
        from tool_sync.domain.fleet.rollout import Refused

        choice = Choice(stages, tuple(own_orgs or ()), per_minute(rate, share), why, yes)
        read_stages(stages, choice.own_orgs)  # before anything is published
        tool = await linted(file, loopback_allowed=allow_loopback)
        if tool is None:
            return EXIT_FOUND
        published = await publish_tool(connection, database_url, tool, server_url, credential_id)
        if isinstance(published, Refused):
            return refuse(published)
        print(f"version {published.version} of {published.name} is published")
        return await order_tool(connection, database_url, published.name, published.version, choice)

    end_connected(database_url, work)
