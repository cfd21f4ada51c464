"""``tool-sync status-links list|make|remove ORG``: where a clinic's own site shows whether its assistants can book."""

from typing import Annotated
from uuid import UUID

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.options import DatabaseUrl, Json, OrgArgument, ReasonNeeded

app = typer.Typer(
    name="status-links",
    help="Show in a frame of an organization's own site whether its assistants can book.",
    no_args_is_help=True,
)

LabelArgument = Annotated[str, typer.Argument(metavar="LABEL", help="Where it will be: 'praxis.example, front page'.")]
LinkArgument = Annotated[UUID, typer.Argument(metavar="LINK", help="The id that `list` shows.")]
Days = Annotated[int, typer.Option(metavar="N", min=1, max=400, help="End it so many days from now.")]


@app.command("list")
def list_links(org: OrgArgument, database_url: DatabaseUrl, as_json: Json = False) -> None:
    """List which addresses are good, oldest first. The addresses themselves are shown when they are made."""
    from tool_sync.cli.status_links_change import show_links

    end_connected(database_url, show_links, org, as_json=as_json)


@app.command()
def make(
    org: OrgArgument,
    label: LabelArgument,
    database_url: DatabaseUrl,
    reason: ReasonNeeded,
    days: Days = 365,
    as_json: Json = False,
) -> None:
    """Make an address that shows whether an organization's assistants can book, and show it, once.

    Whoever has it reads the page. CONSOLE_URL and CONSOLE_FRAME_ANCESTORS are the service's own.
    """
    from tool_sync.cli.status_links_change import kept_label, make_link, url_of_console

    url = url_of_console()
    end_connected(database_url, make_link, url, org, kept_label(label), days, reason, as_json=as_json)


@app.command()
def remove(org: OrgArgument, link: LinkArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """Take an address back: from now on it shows nothing."""
    from tool_sync.cli.status_links_change import remove_link

    end_connected(database_url, remove_link, org, link, reason)
