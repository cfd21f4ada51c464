"""`assistant-api access list`: who read patients, and who changed what."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from assistant_api.cli.connected import run_connected
from assistant_api.cli.options import DatabaseUrl, Since
from zerotouch_platform.lines import print_line, print_whole

if TYPE_CHECKING:
    from zerotouch_platform.postgres.pool import Connection

app = typer.Typer(help="Show who read patients, and who changed what.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Show who read patients, and who changed what."""


@app.command("list")
def list_access(
    database_url: DatabaseUrl,
    org: Annotated[UUID | None, typer.Option(metavar="ORG", help="Limit to this organization.")] = None,
    who: Annotated[
        str | None, typer.Option(metavar="WHO", help="Limit to this principal: a token's subject, vapi, operator:NAME.")
    ] = None,
    since: Since = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line, for export.")] = False,
) -> None:
    """List every read of patients and every write, newest first."""
    from assistant_api.access_log import listing

    async def work(connection: "Connection") -> int:
        before = listing.POSITION_MAX
        while rows := await listing.page(connection, org_id=org, principal=who, since=since, before=before):
            for row in rows:
                if as_json:
                    print_whole(json.dumps(row, ensure_ascii=False))
                else:
                    print_line(_line(row))
            before = rows[-1]["id"]
        return 0

    raise typer.Exit(run_connected(database_url, work))


def _line(row: Mapping[str, Any]) -> str:
    who = row["principal"] if row["role"] in ("operator", "vapi") else f"{row['role']}:{row['principal']}"
    words = [
        f"{row['at'][:19].replace('T', ' ')} UTC",
        who,
        row["action"],
        row["objectId"] or "-",
        row["result"] if row["code"] is None else f"{row['result']} {row['code']}",
    ]
    for name, value in (("org", row["orgId"]), ("trace", row["traceId"])):
        words += [f"{name} {value}"] if value else []
    return "  ".join(words) + (f'  "{row["reason"]}"' if row["reason"] else "")
