"""``tool-sync log verify | fork``: does the log hold together, and a new id for it after a restore."""

import asyncio
import sys
from typing import Annotated
from uuid import UUID

import typer

from tool_sync.cli.options import EXIT_FOUND, DatabaseUrl, OwnerUrl

app = typer.Typer(help="Prove the event log, or give it a new id after a restore.", no_args_is_help=True)


@app.command()
def verify(
    database_url: DatabaseUrl,
    kafka: Annotated[
        str | None, typer.Option("--kafka", envvar="KAFKA_BOOTSTRAP_SERVERS", help="host:port; also look at the topic.")
    ] = None,
    topic: Annotated[
        str | None, typer.Option(envvar="OUTCOMES_TOPIC", help="Where outcomes go; by default the contract's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check positions, versions, the streams' hash chains, and that the topic is not ahead. Exit status 1 if not so."""
    from tool_sync.cli.log_verify import verify_log

    raise typer.Exit(asyncio.run(verify_log(database_url, kafka, topic, as_json=as_json)))


@app.command()
def fork(
    database_url: OwnerUrl,
    vapi_base_url: Annotated[str, typer.Option(envvar="VAPI_BASE_URL", help="Vapi.", show_default=False)],
    vapi_api_key: Annotated[str, typer.Option(envvar="VAPI_API_KEY", help="Its key.", show_default=False)],
    installation_id: Annotated[UUID, typer.Option(envvar="INSTALLATION_ID", help="Whose tools.", show_default=False)],
    vapi_account: Annotated[str, typer.Option(envvar="VAPI_ACCOUNT", help="The account's name.")] = "platform",
    settle_seconds: Annotated[
        float, typer.Option(envvar="SETTLE_SECONDS", help="How long a call to Vapi may still land.")
    ] = 20,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; subscribers will have to rebuild.")] = False,
) -> None:
    """Give the log a new id after a restore, and list what Vapi has beyond the backup. Stop tool-sync first."""
    from tool_sync.cli.log_fork import Account, fork_log

    if not yes and not typer.confirm("Every subscriber will stop until it is rebuilt. Give the log a new id?"):
        print("tool-sync: nothing was changed", file=sys.stderr)
        raise typer.Exit(EXIT_FOUND)
    account = Account(vapi_base_url, vapi_api_key, vapi_account, installation_id)
    raise typer.Exit(asyncio.run(fork_log(database_url, account, settle_seconds)))
