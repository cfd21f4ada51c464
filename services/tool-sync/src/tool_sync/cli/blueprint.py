"""``tool-sync blueprint …``: a tool's file, what was published of it, and what is halted or withdrawn."""

from pathlib import Path
from typing import Annotated

import typer

from tool_sync.cli.ending import end_connected, end_with, fail
from tool_sync.cli.options import (
    CredentialId,
    DatabaseUrl,
    Json,
    Loopback,
    ReasonNeeded,
    ServerUrl,
    ToolArgument,
    VapiUrl,
)
from tool_sync.cli.rollout import OwnOrgs, PlanRate, PlanShare, Stages, Yes, per_minute, said, version_of

app = typer.Typer(
    name="blueprint", help="Check, publish and compare versions of a tool; halt one.", no_args_is_help=True
)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The tool, as .toml or .json.", exists=True, dir_okay=False)
]
VersionArgument = Annotated[str, typer.Argument(metavar="TOOL@V", help="The tool's name, and @2 for its version 2.")]


@app.command()
def lint(file: FileArgument, allow_loopback: Loopback = False, vapi_url: VapiUrl = None, as_json: Json = False) -> None:
    """Check a tool's file, and list all that is wrong with it. Nothing is sent, and no database is needed.

    Exit status 1: the file cannot be published.
    """
    from tool_sync.cli.blueprint_lint import show_lint

    refuse_loopback(allow_loopback, vapi_url)
    end_with(show_lint(file, loopback_allowed=allow_loopback, as_json=as_json))


@app.command(name="list")
def list_(database_url: DatabaseUrl, as_json: Json = False) -> None:
    """List every version of every tool that was published."""
    from tool_sync.cli.blueprint_show import show_versions

    end_connected(database_url, lambda connection: show_versions(connection, as_json=as_json))


@app.command()
def show(
    tool: Annotated[str, typer.Argument(metavar="TOOL[@V]", help="The tool's name, and @2 for its version 2.")],
    database_url: DatabaseUrl,
    as_json: Json = False,
) -> None:
    """Show what is registered at Vapi for a version of a tool; without a number for the newest."""
    from tool_sync.cli.blueprint_show import show_version

    name, _, number = tool.partition("@")
    if "@" in tool and not (number.isascii() and number.isdigit()):
        fail(f"{tool!r} names no version; write the tool's name, or {name}@1")
    version = int(number) if number else None
    end_connected(database_url, lambda connection: show_version(connection, name, version, as_json=as_json))


@app.command()
def diff(
    tool: ToolArgument,
    old: Annotated[int, typer.Argument(metavar="V1", help="The number of the one version.")],
    new: Annotated[int, typer.Argument(metavar="V2", help="The number of the other.")],
    database_url: DatabaseUrl,
    as_json: Json = False,
) -> None:
    """Compare two versions of a tool: first the words that changed, then all that is registered."""
    from tool_sync.cli.blueprint_diff import show_diff

    end_connected(database_url, lambda connection: show_diff(connection, tool, old, new, as_json=as_json))


@app.command()
def publish(
    file: FileArgument,
    database_url: DatabaseUrl,
    server_url: ServerUrl,
    credential_id: CredentialId = None,
    allow_loopback: Loopback = False,
    vapi_url: VapiUrl = None,
) -> None:
    """Publish a tool's file as its next version. No clinic gets it before a rollout."""
    from tool_sync.cli.blueprint_publish import publish_file

    refuse_loopback(allow_loopback, vapi_url)
    end_connected(
        database_url,
        lambda connection: publish_file(
            connection, database_url, file, server_url, credential_id, loopback_allowed=allow_loopback
        ),
    )


@app.command()
def enable(
    tool: ToolArgument,
    database_url: DatabaseUrl,
    reason: ReasonNeeded,
    stages: Stages = "default",
    own_orgs: OwnOrgs = None,
    rate: PlanRate = None,
    share: PlanShare = 0.6,
    yes: Yes = False,
) -> None:
    """Order a tool's newest version for every clinic: show the plan, ask once, and follow it to its end."""
    from tool_sync.cli.ordering import Choice, enable_tool

    choice = Choice(stages, tuple(own_orgs or ()), per_minute(rate, share), said(reason), yes)
    end_connected(database_url, lambda connection: enable_tool(connection, database_url, tool, choice))


@app.command()
def disable(
    tool: ToolArgument,
    database_url: DatabaseUrl,
    reason: ReasonNeeded,
    stages: Stages = "default",
    own_orgs: OwnOrgs = None,
    rate: PlanRate = None,
    share: PlanShare = 0.6,
    yes: Yes = False,
) -> None:
    """Order a tool for nobody, in stages: it is unlinked, and deleted after its grace. `halt` is at once."""
    from tool_sync.cli.ordering import Choice, order_tool

    choice = Choice(stages, tuple(own_orgs or ()), per_minute(rate, share), said(reason), yes)
    end_connected(database_url, lambda connection: order_tool(connection, database_url, tool, None, choice))


@app.command()
def withdraw(tool: VersionArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """Withdraw a version: no rollout can give it any more. Exit status 3: one that stands gives it."""
    from tool_sync.cli.blueprint_publish import write_about
    from tool_sync.rollouts.publish import withdrawn

    name, number = version_of(tool)
    if number is None:
        fail(f"write a version: {name}@2")
    why = said(reason)
    end_connected(
        database_url,
        lambda _connection: write_about(
            database_url,
            name,
            lambda fleet: withdrawn(fleet, name, number, why),
            f"version {number} of {name} is withdrawn",
        ),
    )


@app.command()
def halt(tool: ToolArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """Take a tool from every assistant of every clinic, ahead of all bulk work, until it is resumed."""
    from tool_sync.cli.blueprint_publish import halt_tool

    end_connected(database_url, lambda connection: halt_tool(connection, database_url, tool, said(reason)))


@app.command()
def resume(tool: ToolArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """End a halt: every clinic gets what is ordered again."""
    from tool_sync.cli.blueprint_publish import write_about
    from tool_sync.rollouts.publish import resumed

    why = said(reason)
    end_connected(
        database_url,
        lambda _connection: write_about(
            database_url,
            tool,
            lambda fleet: resumed(fleet, tool, why),
            f"{tool} is resumed: every clinic gets what is ordered",
        ),
    )


def refuse_loopback(allowed: bool, vapi_url: str | None) -> None:
    """End the command where a server on this machine would be registered with the real Vapi."""
    from tool_sync.settings import LOOPBACK_REFUSED, is_real_vapi

    if allowed and is_real_vapi(vapi_url or ""):
        fail(f"--allow-loopback {LOOPBACK_REFUSED}")
