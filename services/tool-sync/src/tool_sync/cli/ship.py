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
from tool_sync.cli.rollout import OwnOrgs, PlanRate, PlanShare, Stages, said

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
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it starts.")] = False,
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
        from tool_sync.cli.rollout_apply import apply_rollout, keep_plan, read_stages, refuse
        from tool_sync.cli.rollout_show import plan_lines
        from tool_sync.domain.fleet.rollout import Refused

        steps = read_stages(stages, tuple(own_orgs or ()))
        tool = await linted(file, loopback_allowed=allow_loopback)
        if tool is None:
            return EXIT_FOUND
        published = await publish_tool(connection, database_url, tool, server_url, credential_id)
        if isinstance(published, Refused):
            return refuse(published)
        print(f"version {published.version} of {published.name} is published")
        planned = await keep_plan(connection, database_url, published.name, published.version, steps)
        if isinstance(planned, Refused):
            return refuse(planned)
        print("\n".join(plan_lines(planned, None if rate is None else max(1, int(rate * share)))))
        if not yes and not typer.confirm("Start it?"):
            print(f"to start it later: tool-sync rollout apply {planned.order.rollout_id} --reason TEXT")
            return 0
        rollout = planned.order.rollout_id
        return await apply_rollout(connection, database_url, rollout, why, digest=planned.digest, follow=True)

    end_connected(database_url, work)
