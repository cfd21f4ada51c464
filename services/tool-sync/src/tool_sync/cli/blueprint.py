"""``tool-sync blueprint lint | list | show | diff``: a tool's file before it is published, and what was published."""

from pathlib import Path
from typing import Annotated

import typer

from tool_sync.cli.ending import end_connected, end_with, fail
from tool_sync.cli.options import DatabaseUrl, Json, ToolArgument, VapiUrl

app = typer.Typer(name="blueprint", help="Check a tool's file, and show what was published.", no_args_is_help=True)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The tool, as .toml or .json.", exists=True, dir_okay=False)
]
Loopback = Annotated[
    bool,
    typer.Option(
        "--allow-loopback",
        envvar="TOOL_URL_LOOPBACK_ALLOWED",
        help="Allow a server on this machine; refused where VAPI_BASE_URL is the real Vapi.",
    ),
]


@app.command()
def lint(file: FileArgument, allow_loopback: Loopback = False, vapi_url: VapiUrl = None, as_json: Json = False) -> None:
    """Check a tool's file, and list all that is wrong with it. Nothing is sent, and no database is needed.

    Exit status 1: the file cannot be published.
    """
    from tool_sync.cli.blueprint_lint import show_lint
    from tool_sync.settings import LOOPBACK_REFUSED, is_real_vapi

    if allow_loopback and is_real_vapi(vapi_url or ""):
        fail(f"--allow-loopback {LOOPBACK_REFUSED}")
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
