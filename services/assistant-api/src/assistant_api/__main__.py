"""The command line: `assistant-api run`, `migrate`, `restore` and `erase-phone`."""

import asyncio
import getpass
import sys
from typing import Annotated, NoReturn, TypeVar
from uuid import UUID

import asyncpg
import structlog
import typer
from pydantic_settings import BaseSettings

from assistant_api.appointments import erase
from assistant_api.cli import lost_outcomes
from assistant_api.migrate import MigrationFailed
from assistant_api.migrate import migrate as migrate_database
from assistant_api.settings import EraseSettings, MigrateSettings, RestoreSettings, Settings, line_of
from zerotouch_platform import logs
from zerotouch_platform.settings import SettingsInvalid, load

T = TypeVar("T", bound=BaseSettings)

EXIT_FAILED = 1
EXIT_SETTINGS = 2

app = typer.Typer(name="assistant-api", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

app.add_typer(lost_outcomes.app, name="lost")


@app.command()
def run() -> None:
    """Serve HTTP, provision assistants, relay messages and follow outcomes, until SIGTERM."""
    from assistant_api.app.serve import serve

    raise SystemExit(serve(_settings(Settings)))


@app.command()
def migrate() -> None:
    """Bring the database of MIGRATE_DATABASE_URL to the newest schema."""
    settings = _settings(MigrateSettings)
    try:
        output = asyncio.run(migrate_database(settings.migrate_database_url.get_secret_value()))
    except (MigrationFailed, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        _end(EXIT_FAILED, f"assistant-api: the migration failed: {type(error).__name__}: {error}")
    print(output or "assistant-api: the database is up to date", file=sys.stderr)


@app.command()
def restore(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Begin again after the database was restored from a backup: no assistant is made twice. Stop the service first."""
    from assistant_api.restore.command import CannotRestore, restore_database

    settings = _settings(RestoreSettings)
    if not yes and not typer.confirm("Every agent will be brought to Vapi again, as the database has it. Begin?"):
        _end(EXIT_FAILED, "assistant-api: nothing was changed")
    try:
        asyncio.run(restore_database(settings))
    except CannotRestore as error:
        _end(EXIT_FAILED, f"assistant-api: nothing was changed: {error}")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        _end(EXIT_FAILED, f"assistant-api: nothing was changed: {type(error).__name__}: {error}")


@app.command()
def erase_phone(
    phone: Annotated[str, typer.Argument(help="the number, or - to read it from standard input")],
    org: Annotated[UUID, typer.Option(help="the organization's id")],
) -> None:
    """Erase a patient: delete every appointment of a phone number from an organization, and say so in the log."""
    from assistant_api.telemetry import SERVICE_NAME

    settings = _settings(EraseSettings)
    logs.set_up(SERVICE_NAME, level="INFO", log_file=settings.log_file)
    number = sys.stdin.readline() if phone == "-" else phone
    try:
        erased = asyncio.run(erase.erase_phone(settings.database_url.get_secret_value(), org, number))
    except (ValueError, erase.UnknownOrganization) as error:
        _end(EXIT_SETTINGS, f"assistant-api: nothing was erased: {error or f'there is no organization {org}'}")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        _end(EXIT_FAILED, f"assistant-api: nothing was erased: {type(error).__name__}")
    structlog.get_logger().info(
        "patient_erased",
        org_id=str(erased.org_id),
        appointments=erased.appointments,
        phone_hash=erased.phone_hash,
        by=getpass.getuser(),
    )


def _settings(kind: type[T]) -> T:
    try:
        return load(kind)
    except SettingsInvalid as error:
        lines = "\n".join(f"  {line_of(problem)}" for problem in error.problems)
        _end(EXIT_SETTINGS, f"assistant-api: settings are missing or wrong:\n{lines}")


def _end(status: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(status)


def main() -> None:
    """The entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
