"""The command `assistant-api` and its subcommands."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from assistant_api.cli import access, erase, lost, migrate, restore, token, vapi_keys
from zerotouch_platform.lines import print_line
from zerotouch_platform.worker_count import WORKERS_MAX

app = typer.Typer(
    name="assistant-api",
    help="Save assistants, write them to Vapi and publish AssistantSaved.",
    epilog="Exit status: 0 done; 1 found a problem; 2 wrong usage or environment; 3 refused.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _root(show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if show_version:
        print_line(version("zerotouch-assistant-api"))
        raise typer.Exit


@app.command()
def run(
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Start N processes that share the port; by default WORKERS, else one.",
            min=1,
            max=WORKERS_MAX,
        ),
    ] = None,
) -> None:
    """Serve HTTP, provision assistants, relay messages and follow outcomes, until SIGTERM."""
    from assistant_api.cli.launch import launch

    sys.exit(launch(workers))


app.command("migrate")(migrate.migrate)
app.command("restore")(restore.restore)
app.command("export-phone")(erase.export_phone)
app.add_typer(erase.app, name="erase")
app.add_typer(access.app, name="access")
app.add_typer(lost.app, name="lost")
app.add_typer(token.app, name="token")
app.add_typer(vapi_keys.app, name="vapi-keys")
