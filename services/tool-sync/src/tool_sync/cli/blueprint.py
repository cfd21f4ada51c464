"""``tool-sync blueprint …``: a tool's file, what was published of it, and what is halted or withdrawn."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tool_sync.cli.ending import end_connected, end_with
from tool_sync.cli.exits import EXIT_FOUND, fail
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
from tool_sync.cli.output import print_line
from tool_sync.cli.rollout import OwnOrgs, PlanRate, PlanShare, Stages, Yes, per_minute, version_of

if TYPE_CHECKING:
    from tool_sync.db import Connection

app = typer.Typer(
    name="blueprint", help="Check, publish and compare versions of a tool; halt one.", no_args_is_help=True
)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The tool, as .toml or .json.", exists=True, dir_okay=False)
]
Days = Annotated[int, typer.Option(metavar="N", help="Look back so many days.", min=1, max=3660)]
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

    end_connected(database_url, show_versions, as_json=as_json)


@app.command()
def requests(database_url: DatabaseUrl, as_json: Json = False) -> None:
    """List what was asked by INSERT or UPDATE of system_tools, newest first, and what became of it."""
    from tool_sync.cli.blueprint_show import show_requests

    end_connected(database_url, show_requests, as_json=as_json)


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
    end_connected(database_url, show_version, name, version, as_json=as_json)


@app.command()
def diff(
    tool: ToolArgument,
    old: Annotated[int, typer.Argument(metavar="V1", help="The number of the one version.")],
    new: Annotated[int, typer.Argument(metavar="V2", help="The number of the other.")],
    database_url: DatabaseUrl,
    as_json: Json = False,
) -> None:
    """Compare two versions of a tool: first the words that changed, then all that is registered."""
    from tool_sync.cli.blueprint_show import show_diff

    end_connected(database_url, show_diff, tool, old, new, as_json=as_json)


@app.command()
def contract(
    tool: ToolArgument,
    number: Annotated[int, typer.Argument(metavar="N", help="The contract's number.", min=1)],
    database_url: DatabaseUrl,
    days: Days = 30,
    as_json: Json = False,
) -> None:
    """Check whether a contract of ours may leave the code: no clinic had it, and no rollout gives it.

    Exit status 1: it must stay.
    """
    from tool_sync.cli.blueprint_contracts import show_contract

    end_connected(database_url, show_contract, tool, number, days, as_json=as_json)


@app.command()
def contracts(database_url: DatabaseUrl, days: Days = 30, as_json: Json = False) -> None:
    """Compare the contracts that clinics had, or may get, with those of this release.

    Exit status 1: the release lacks one, so that calls would not be answered.
    """
    from tool_sync.cli.blueprint_contracts import show_contracts

    end_connected(database_url, show_contracts, days, as_json=as_json)


@app.command()
def publish(
    file: FileArgument,
    database_url: DatabaseUrl,
    server_url: ServerUrl,
    reason: ReasonNeeded,
    credential_id: CredentialId = None,
    allow_loopback: Loopback = False,
    vapi_url: VapiUrl = None,
) -> None:
    """Publish a tool's file as its next version. No clinic gets it before a rollout."""
    from tool_sync.cli.blueprint_publish import publish_file

    refuse_loopback(allow_loopback, vapi_url)

    async def work(connection: "Connection") -> int:
        done = await publish_file(
            connection, database_url, file, server_url, credential_id, reason, loopback_allowed=allow_loopback
        )
        if done is None:
            return EXIT_FOUND
        print_line(f"version {done.version} of {done.name} is published; no clinic has it yet")
        print_line(f"to order it: tool-sync rollout plan {done.name}@{done.version}")
        return 0

    end_connected(database_url, work)


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
    from tool_sync.cli.rollout_apply import Choice, enable_tool

    choice = Choice(stages, tuple(own_orgs or ()), per_minute(rate, share), reason, yes)
    end_connected(database_url, enable_tool, database_url, tool, choice)


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
    from tool_sync.cli.rollout_apply import Choice, order_tool

    choice = Choice(stages, tuple(own_orgs or ()), per_minute(rate, share), reason, yes)
    end_connected(database_url, order_tool, database_url, tool, None, choice)


@app.command()
def withdraw(tool: VersionArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """Withdraw a version: no rollout and no pin can give it any more. Exit status 3: one that stands gives it."""
    from tool_sync.cli.blueprint_publish import withdraw_version

    name, number = version_of(tool)
    if number is None:
        fail(f"write a version: {name}@2")
    end_connected(database_url, withdraw_version, database_url, name, number, reason)


@app.command()
def halt(tool: ToolArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """Take a tool from every assistant of every clinic, ahead of all bulk work, until it is resumed."""
    from tool_sync.cli.blueprint_publish import halt_tool

    end_connected(database_url, halt_tool, database_url, tool, reason)


@app.command()
def resume(tool: ToolArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """End a halt: every clinic gets what is ordered again."""
    from tool_sync.cli.blueprint_publish import write_about
    from tool_sync.rollouts.publish import resumed

    done = f"{tool} is resumed: every clinic gets what is ordered"
    end_connected(database_url, write_about, database_url, tool, lambda fleet: resumed(fleet, tool, reason), done)


@app.command()
def drift(
    tool: ToolArgument,
    policy: Annotated[
        Literal["repair", "report"],
        typer.Argument(metavar="POLICY", help="Put it right (repair), or only note it (report)."),
    ],
    database_url: DatabaseUrl,
    reason: ReasonNeeded,
) -> None:
    """Set what becomes of words of a tool that somebody changes at Vapi: repair or report.

    What keeps callers from booking, such as another server or a deleted tool, is put right in any case.
    """
    from tool_sync.cli.blueprint_publish import write_about
    from tool_sync.rollouts.publish import drift_policy

    done = "is put right" if policy == "repair" else "is noted, and its words are left as they are"
    end_connected(
        database_url,
        write_about,
        database_url,
        tool,
        lambda fleet: drift_policy(fleet, tool, policy, reason),
        f"drift of {tool} {done}",
    )


def refuse_loopback(allowed: bool, vapi_url: str | None) -> None:
    """End the command where a server on this machine would be registered with the real Vapi."""
    from tool_sync.settings import LOOPBACK_REFUSED, is_real_vapi

    if allowed and is_real_vapi(vapi_url or ""):
        fail(f"--allow-loopback {LOOPBACK_REFUSED}")
