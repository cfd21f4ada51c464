"""`assistant-api migrate`."""

import asyncio

from assistant_api.cli.exits import EXIT_ENVIRONMENT, database_answers, end, settings_of
from assistant_api.settings.commands import MigrateSettings
from zerotouch_platform.lines import print_error


def migrate() -> None:
    """Migrate the database at MIGRATE_DATABASE_URL to the newest schema."""
    from assistant_api.migrate import MigrationFailed
    from assistant_api.migrate import migrate as migrate_database

    settings = settings_of(MigrateSettings)
    try:
        with database_answers("the migration failed"):
            output = asyncio.run(migrate_database(settings.migrate_database_url.get_secret_value()))
    except MigrationFailed as error:
        end(EXIT_ENVIRONMENT, f"the migration failed: {type(error).__name__}: {error}")
    print_error(output or "assistant-api: the database is up to date")
