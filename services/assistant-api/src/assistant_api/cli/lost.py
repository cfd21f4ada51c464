"""`assistant-api lost`: outcomes that were gone from the topic before they were read."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import asyncpg
import typer
from pydantic import PostgresDsn, TypeAdapter, ValidationError

from assistant_api.cli.exits import EXIT_ENVIRONMENT, EXIT_FOUND, database_answers, end

if TYPE_CHECKING:
    from zerotouch_platform.postgres.pool import Connection

app = typer.Typer(
    help="Show outcomes that Kafka lost before they were read, and acknowledge them.", no_args_is_help=True
)
DatabaseUrl = Annotated[str, typer.Option(envvar="DATABASE_URL", help="Connect to this postgresql:// URL.")]


@app.command("list")
def list_losses(database_url: DatabaseUrl) -> None:
    """List losses that nobody has acknowledged. Exit status 1: there are some."""
    from zerotouch_platform.kafka import ledger

    async def work(connection: "Connection") -> int:
        found = await ledger.open_losses(connection)
        for loss in found:
            print(f"{loss.id}  {loss.found_at:%Y-%m-%d %H:%M:%S} UTC  {loss}")
        return EXIT_FOUND if found else 0

    raise typer.Exit(_run(database_url, work))


@app.command()
def acknowledge(
    loss: Annotated[int, typer.Argument(metavar="ID", help="The number that `list` shows.", min=1)],
    database_url: DatabaseUrl,
    reason: Annotated[str, typer.Option(help="Say what was done about it.")],
) -> None:
    """Acknowledge a loss once everything that it took is repaired."""
    from zerotouch_platform.kafka import ledger

    async def work(connection: "Connection") -> int:
        if not await ledger.acknowledge(connection, loss, reason):
            end(EXIT_ENVIRONMENT, f"there is no open loss {loss}")
        return 0

    raise typer.Exit(_run(database_url, work))


def _run(database_url: str, work: Callable[["Connection"], Awaitable[int]]) -> int:
    try:
        TypeAdapter(PostgresDsn).validate_python(database_url)
    except ValidationError:
        end(EXIT_ENVIRONMENT, "DATABASE_URL is no postgresql:// URL")
    with database_answers("the database does not answer", in_full=False):
        return asyncio.run(_connected(database_url, work))


async def _connected(database_url: str, work: Callable[["Connection"], Awaitable[int]]) -> int:
    connection = await asyncpg.connect(database_url, timeout=10)
    try:
        return await work(connection)
    finally:
        await connection.close()
