"""What the commands on status links do, and say then."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from pydantic_settings import BaseSettings

from tool_sync.admin import status_links
from tool_sync.cli.exits import fail
from tool_sync.cli.output import called, entry, print_json, print_line, print_lines, print_whole, show, utc
from tool_sync.console.session import PREFIX
from tool_sync.db import Connection
from tool_sync.http.codes import new_code
from tool_sync.queries.display_names import name_of
from tool_sync.queries.status_links import StatusLink, label_of, made_of
from tool_sync.settings.kinds import Origins
from zerotouch_platform.settings import CONFIG, HttpUrl, SettingsInvalid, load


class _Console(BaseSettings):
    """Those of the service's settings that say where its console is, and which sites may frame the page."""

    model_config = CONFIG
    console_url: HttpUrl | None = None
    console_frame_ancestors: Origins = ()


def url_of_console() -> str:
    """What an address begins with; ends the command where the environment does not say, or nothing can be framed.

    The console's key is not asked for: it seals cookies, and the page has none.
    """
    try:
        found = load(_Console)
    except SettingsInvalid as error:
        fail("; ".join(f"{problem.variable} {problem.reason}" for problem in error.problems))
    if found.console_url is None:
        fail("CONSOLE_URL is not set: give the service's own, below which the address is")
    if not found.console_frame_ancestors:
        fail("CONSOLE_FRAME_ANCESTORS is not set: give the service's own; without it no site may show the page")
    return f"{found.console_url.rstrip('/')}{PREFIX}"


def kept_label(text: str) -> str:
    """The label as it is kept; ends the command where it cannot be."""
    try:
        return label_of(text)
    except ValueError as error:
        fail(f"LABEL {error}")


async def show_links(connection: Connection, org_id: UUID, *, as_json: bool) -> None:
    """Print those that are good."""
    found = await status_links.links_of(connection, org_id)
    name = await name_of(connection, org_id)
    show("status-links list", found, _lines(org_id, name, found), as_json=as_json)


async def make_link(
    connection: Connection, console_url: str, org_id: UUID, label: str, days: int, reason: str, *, as_json: bool
) -> None:
    """Make one, and print its address, which is kept nowhere."""
    code, text = new_code()
    link = await status_links.make_link(connection, org_id, code, label, timedelta(days=days), reason)
    made = made_of(link, console_url, text)
    if as_json:
        print_json("status-links make", made)
        return
    fields = (("label", made.label), ("good until", utc(made.expires_at)), ("address, shown this once", made.url))
    print_lines((*entry(f"status link {made.id} of {org_id}", fields), "to embed it, copy this into the page:"))
    print_whole(made.html)


async def remove_link(connection: Connection, org_id: UUID, link_id: UUID, reason: str) -> None:
    """Take one back, and say so."""
    await status_links.remove_link(connection, org_id, link_id, reason)
    print_line(f"status link {link_id} of {org_id} is taken back: it shows nothing any more")


def _lines(org_id: UUID, name: str, found: Sequence[StatusLink]) -> Iterator[str]:
    yield f"status links of {called(org_id, name)}: {len(found) or 'none'}"
    for one in found:
        fields = (
            ("label", one.label),
            ("good until", utc(one.expires_at)),
            ("made by", f"{one.made_by} at {utc(one.made_at)}"),
        )
        yield from entry(str(one.id), fields)
