"""Options and exit statuses that several commands share."""

from datetime import UTC, datetime
from typing import Annotated, Final

import typer

EXIT_FOUND: Final = 1
"""Something differs, or was refused; stderr says what."""
EXIT_USAGE: Final = 2
EXIT_DATABASE: Final = 3
COLUMNS_IN_FILES: Final = 200
"""Not on a terminal, rich would take 80 columns and cut ids."""

DatabaseUrl = Annotated[str, typer.Option(envvar="DATABASE_URL", help="postgresql:// URL.", show_default=False)]
OwnerUrl = Annotated[
    str,
    typer.Option(
        "--database-url", envvar="MIGRATE_DATABASE_URL", help="URL of the database's owner.", show_default=False
    ),
]
BootstrapServers = Annotated[
    str, typer.Option("--kafka", envvar="KAFKA_BOOTSTRAP_SERVERS", help="host:port of Kafka.", show_default=False)
]
VapiUrl = Annotated[str | None, typer.Option(envvar="VAPI_BASE_URL", help="Where Vapi is.", show_default=False)]
VapiKey = Annotated[str | None, typer.Option(envvar="VAPI_API_KEY", help="The service's own key.", show_default=False)]
VapiAccount = Annotated[str, typer.Option(envvar="VAPI_ACCOUNT", help="The account's name.")]
KeyRate = Annotated[
    int | None, typer.Option(envvar="VAPI_REQUESTS_PER_MINUTE", help="The key's rate.", min=1, show_default=False)
]
RateShare = Annotated[float, typer.Option(envvar="VAPI_RATE_SHARE", help="tool-sync's share of it.", min=0, max=1)]


def utc(moment: datetime | None) -> datetime | None:
    """A time from the command line; without a zone it is UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
