"""The command line: `devstack up | down | status | env | token | demo | fetch`, also as `python -m devstack`.

Progress goes to standard error, answers to standard output. Exit status: 0 done, 1 something is not as it should be,
2 wrong usage, 130 interrupted.
"""

import asyncio
import logging
import shlex
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from devstack import process, state, tokens
from devstack.errors import DevstackError
from devstack.options import Options, say

STATE_DIR = Path(".devstack")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Run PostgreSQL, Kafka, the Vapi sandbox and both services on this machine, without Docker.",
    epilog="Exit status: 0 done; 1 something is not as it should be; 2 wrong usage; 130 interrupted.",
    pretty_exceptions_enable=False,
)


def run(main: Coroutine[Any, Any, int]) -> None:
    """Runs a command and ends with its status; a failure of the stack is told without a stack trace."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it reports every attempt against a starting broker
    try:
        status = process.run(main)
    except DevstackError as error:
        say(f"devstack: {error}")
        status = 1
    raise typer.Exit(status)


@app.command()
def up(
    fixed_ports: Annotated[
        bool, typer.Option("--fixed-ports", help="Use ports 3001, 3002, 3003 and 3005 instead of free ones.")
    ] = False,
) -> None:
    """Start everything and leave it running; `down` stops it."""
    from devstack.launch import launch  # brings the whole stack's clients; the other commands answer without them

    async def main() -> int:
        stack = await launch(Options.from_env(state_dir=STATE_DIR, detached=True, fixed_ports=fixed_ports))
        say("running; `python -m devstack env` prints the addresses, `python -m devstack down` stops it")
        for name, value in sorted(stack.env().items()):
            say(f"  {name}={value}")
        return 0

    run(main())


@app.command()
def down() -> None:
    """Stop what `up` left running."""

    async def main() -> int:
        found = state.load(STATE_DIR)
        if found is None:
            say("nothing is running")
            return 0
        for entry in reversed(found.entries):
            say(f"  stopping {entry.name}")
        await state.stop(reversed(found.entries))
        state.remove(STATE_DIR)
        return 0

    run(main())


@app.command()
def status() -> None:
    """Show the stack's processes. Exit status 1: one has died, or none was started."""
    found = state.load(STATE_DIR)
    if found is None:
        say("nothing is running")
        raise typer.Exit(1)
    for entry in found.entries:
        print(f"{entry.name:<16} {'running' if entry.running else 'DEAD':<8} pid {entry.pid:<8} {entry.log}")
    raise typer.Exit(0 if all(entry.running for entry in found.entries) else 1)


@app.command()
def env() -> None:
    """Print the addresses of the running stack as `export` lines for a shell."""
    found = state.load(STATE_DIR)
    if found is None:
        say("nothing is running")
        raise typer.Exit(1)
    for name, value in sorted(found.env.items()):
        print(f"export {name}={shlex.quote(value)}")


@app.command()
def token(
    org: Annotated[str | None, typer.Option(help="Limit the token to the organization with this UUID.")] = None,
    scope: Annotated[
        str | None, typer.Option(help="Limit it further, to scopes with spaces between: appointments:read sync.")
    ] = None,
) -> None:
    """Print a bearer token: the platform's, or with --org one organization's."""
    if scope is not None and org is None:
        raise typer.BadParameter("--scope is for a token of an organization: name it by --org")
    signer = tokens.signer(STATE_DIR)
    try:
        print(signer.org_token(org, scope=scope) if org else signer.platform_token())
    except ValueError as error:
        raise typer.BadParameter(f"--org {org}: {error}") from error


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop everything after the walk-through and exit.")] = False,
) -> None:
    """Start everything, save an assistant and show what happened; stay up until Ctrl-C."""
    from devstack import demo as demonstration
    from devstack.walkthrough import WalkthroughFailed

    async def main() -> int:
        try:
            return await demonstration.demo(Options.from_env(state_dir=STATE_DIR, fixed_ports=True), once=once)
        except WalkthroughFailed as error:
            say(f"demo: {error}")
            return 1

    run(main())


@app.command()
def fetch() -> None:
    """Download Kafka's jars, unless they are in the cache."""
    from devstack.jars import class_path

    async def main() -> int:
        await asyncio.to_thread(class_path, say)
        return 0

    run(main())


def main() -> None:
    """The entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
