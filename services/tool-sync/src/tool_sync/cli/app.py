"""The commands, put together. Each imports what it needs when it runs, so that help is quick."""

from typing import Annotated

import typer

from tool_sync.cli import (
    access,
    assistant,
    audit,
    blueprint,
    dead_letters,
    describe,
    doctor,
    errors,
    failures,
    log,
    lost,
    notices,
    org,
    pins,
    projection,
    relay,
    replay,
    rollout,
    service,
    ship,
    status_links,
    support_bundle,
    tail,
    token,
    tool,
    window,
)
from tool_sync.cli.output import print_line

app = typer.Typer(
    name="tool-sync",
    help="Give every assistant its tools in Vapi, and keep the event log that proves it.",
    epilog="Exit status: 0 done; 1 found a problem; 2 wrong usage or environment; 3 refused.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as version_of

        print_line(f"tool-sync {version_of('zerotouch-tool-sync')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


for command in (
    service.run,
    service.console,
    service.migrate,
    org.tools,
    org.history,
    org.coverage,
    tool.why,
    assistant.explain,
    assistant.check,
    assistant.words,
    errors.errors,
    tail.tail,
    describe.describe,
    support_bundle.support_bundle,
    doctor.doctor,
    replay.replay,
    audit.audit,
    ship.ship,
):
    app.command()(command)

for group in (
    access,
    lost,
    failures,
    dead_letters,
    blueprint,
    rollout,
    tool,
    pins,
    window,
    notices,
    status_links,
    projection,
    log,
    relay,
    token,
):
    app.add_typer(group.app)
