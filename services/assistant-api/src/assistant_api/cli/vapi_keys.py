"""`assistant-api vapi-keys`: the sealed keys of clinics with an account of their own at Vapi (ADR 76)."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from assistant_api.cli.connected import run_connected
from assistant_api.cli.exits import EXIT_ENVIRONMENT, EXIT_FOUND, end, settings_of
from assistant_api.cli.options import DatabaseUrl, Reason, operator_of
from zerotouch_platform.lines import print_error, print_line, print_whole

if TYPE_CHECKING:
    from zerotouch_platform.postgres.pool import Connection

app = typer.Typer(help="Show the accounts that clinics have at Vapi, and seal their keys anew.", no_args_is_help=True)


@app.command("list")
def list_accounts(
    database_url: DatabaseUrl,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List the clinics that have an account of their own at Vapi, never with a key."""
    from assistant_api.vapi.account_rows import listed

    async def work(connection: "Connection") -> int:
        for row in await listed(connection):
            if as_json:
                print_whole(json.dumps(row, default=str))
                continue
            rate = "no rate" if row["requests_per_minute"] is None else f"{row['requests_per_minute']:,}/min"
            closed = "" if row["closed_at"] is None else ", the clinic is deleted"
            print_line(
                f"{row['org_id']} {row['account']} key {row['key_fingerprint']} {rate}, sealed with {row['envelope']},"
                f" since {row['changed_at']:%Y-%m-%d %H:%M} UTC by {row['changed_by']}{closed}"
            )
        return 0

    raise typer.Exit(run_connected(database_url, work))


@app.command("rotate-envelope")
def rotate_envelope(reason: Reason) -> None:
    """Seal every key with the newest envelope key. Repeat it when it was cut off: it goes on where it was."""
    from assistant_api.access_log.entry import Action, Entry
    from assistant_api.access_log.record import record
    from assistant_api.settings.commands import VapiKeySettings
    from assistant_api.vapi.resealing import reseal
    from zerotouch_platform.vapi.envelope import Envelope, EnvelopeKeysMissing

    who, settings = operator_of(reason), settings_of(VapiKeySettings)

    async def work(connection: "Connection") -> int:
        try:
            keys = await Envelope(settings).keys()
        except EnvelopeKeysMissing as error:
            end(EXIT_ENVIRONMENT, f"nothing was changed: {error}")
        await record(connection, Entry(who, Action.VAPI_KEYS_SEAL, None, keys.newest_id))
        done = await reseal(connection, keys)
        for org_id, why in done.shut:
            print_error(f"clinic {org_id}: {why}")
        print_line(
            f"{done.resealed:,} of {done.accounts:,} key(s) sealed with {keys.newest_id}, {done.newest_already:,} were"
            f" already, {done.changed:,} changed meanwhile, {len(done.shut):,} do not open"
        )
        return EXIT_FOUND if done.shut or done.changed else 0

    raise typer.Exit(run_connected(settings.database_url.get_secret_value(), work))
