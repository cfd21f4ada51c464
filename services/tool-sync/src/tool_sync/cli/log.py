"""``tool-sync log verify | decisions | fork``: does the log hold together, and justify what was done."""

from typing import Annotated, Final
from uuid import UUID

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.options import EXIT_REFUSED, DatabaseUrl, Json, OutcomesTopic, OwnerUrl, VapiAccount

app = typer.Typer(name="log", help="Verify the event log and its decisions, or give it a new id.", no_args_is_help=True)

LIST_DEADLINE_SECONDS: Final = 30.0
"""For each call of a fork, whose pages of tools are long."""


@app.command()
def verify(
    database_url: DatabaseUrl,
    kafka: Annotated[
        str | None,
        typer.Option("--kafka", envvar="KAFKA_BOOTSTRAP_SERVERS", help="Look at the topic, too, at this host:port."),
    ] = None,
    topic: OutcomesTopic = None,
    as_json: Json = False,
) -> None:
    """Verify positions, versions and hash chains, and that the outcomes topic is not ahead of the log.

    Exit status 1: the log is not as it was written, or the topic is ahead of it.
    """
    from tool_sync.cli.log_verify import verify_log

    end_connected(database_url, lambda connection: verify_log(connection, kafka, topic, as_json=as_json))


@app.command()
def decisions(database_url: DatabaseUrl, as_json: Json = False) -> None:
    """Decide every write that was ever announced again, on what the log said then.

    Exit status 1: a write is not justified by the log.
    """
    from tool_sync.cli.log_decisions import show_decisions

    end_connected(database_url, lambda connection: show_decisions(connection, as_json=as_json))


@app.command()
def fork(
    database_url: OwnerUrl,
    vapi_base_url: Annotated[str, typer.Option(envvar="VAPI_BASE_URL", help="Call Vapi at this URL.")],
    vapi_api_key: Annotated[
        str, typer.Option(envvar="VAPI_API_KEY", help="Call Vapi with this key, the service's own.")
    ],
    installation_id: Annotated[
        UUID, typer.Option(envvar="INSTALLATION_ID", help="Look for the tools of this installation.")
    ],
    account: VapiAccount = "platform",
    settle_seconds: Annotated[
        float, typer.Option(envvar="SETTLE_SECONDS", help="Wait until no call to Vapi can land any more.")
    ] = 20,
    yes: Annotated[bool, typer.Option("--yes", help="Skip the question; every subscriber must rebuild.")] = False,
) -> None:
    """Give the log a new id after a restore, and list what Vapi has that the backup lacks. Stop tool-sync first.

    Exit status 3: a process of tool-sync is connected, or the database belongs to another installation.
    """
    from tool_sync.cli.log_fork import fork_log
    from tool_sync.cli.looking import client_of
    from tool_sync.cli.output import error as say

    if not yes and not typer.confirm("Every subscriber will stop until it is rebuilt. Give the log a new id?"):
        say("nothing was changed")
        raise typer.Exit(EXIT_REFUSED)
    vapi = client_of(vapi_base_url, vapi_api_key, account, LIST_DEADLINE_SECONDS, connections_max=1)
    end_connected(database_url, lambda connection: fork_log(connection, vapi, installation_id, settle_seconds))
