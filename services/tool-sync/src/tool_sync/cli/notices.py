"""``tool-sync notices show|set|test|replay|remove ORG``: the webhook that tells one organization what happens to it."""

from typing import TYPE_CHECKING, Annotated

import typer

from tool_sync.cli.blueprint import refuse_loopback
from tool_sync.cli.ending import end_connected
from tool_sync.cli.options import DatabaseUrl, Json, Loopback, OrgArgument, ReasonNeeded, VapiUrl
from tool_sync.cli.output import print_line

if TYPE_CHECKING:
    from tool_sync.db import Connection

app = typer.Typer(
    name="notices",
    help="Tell an organization by a webhook when it cannot book and when a tool changed.",
    no_args_is_help=True,
)

UrlArgument = Annotated[str, typer.Argument(metavar="URL", help="An https URL whose host is public.")]
RotateSecret = Annotated[
    bool, typer.Option("--rotate-secret", help="Make a new secret; the one before signs, too, for a day.")
]


@app.command()
def show(org: OrgArgument, database_url: DatabaseUrl, as_json: Json = False) -> None:
    """Show where an organization's notices go, what waits, and why the last one was not taken.

    Exit status 1: they are disabled, so nothing is sent.
    """
    from tool_sync.cli.notices_change import show_notices

    end_connected(database_url, show_notices, org, as_json=as_json)


@app.command("set")
def set_(
    org: OrgArgument,
    url: UrlArgument,
    database_url: DatabaseUrl,
    reason: ReasonNeeded,
    rotate: RotateSecret = False,
    allow_loopback: Loopback = False,
    vapi_url: VapiUrl = None,
    as_json: Json = False,
) -> None:
    """Send an organization's notices to a URL, and show their secret, once, where it is new.

    NOTICES_KEY is the service's own. What was disabled works again.
    """
    from tool_sync.cli.notices_change import key_of_environment, set_notices

    refuse_loopback(allow_loopback, vapi_url)
    box = key_of_environment()
    end_connected(
        database_url,
        set_notices,
        box,
        org,
        url,
        rotate=rotate,
        reason=reason,
        loopback_allowed=allow_loopback,
        as_json=as_json,
    )


@app.command("test")
def try_(org: OrgArgument, database_url: DatabaseUrl, reason: ReasonNeeded, as_json: Json = False) -> None:
    """Send one notice to try them out, after those that wait."""
    from tool_sync.cli.notices_change import try_notices

    end_connected(database_url, try_notices, org, reason, as_json=as_json)


@app.command()
def replay(org: OrgArgument, database_url: DatabaseUrl, reason: ReasonNeeded, as_json: Json = False) -> None:
    """Send again what was not taken, the oldest first, also where notices were disabled."""
    from tool_sync.cli.notices_change import replay_notices

    end_connected(database_url, replay_notices, org, reason, as_json=as_json)


@app.command()
def remove(org: OrgArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """End an organization's notices: its URL, its secrets and what waits are deleted."""
    from tool_sync.admin.notices import remove_notices

    async def work(connection: "Connection") -> None:
        await remove_notices(connection, org, reason)
        print_line(f"{org} is told nothing any more")

    end_connected(database_url, work)
