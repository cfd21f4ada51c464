"""Exit statuses, and every option that more than one command takes."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import typer

from tool_sync.cli.times import parse_time

EXIT_FOUND: Final = 1
"""The command did its work and found a problem."""
EXIT_USAGE: Final = 2
"""What was asked for is wrong or not there; or the environment is, such as settings or a database that is away."""
EXIT_REFUSED: Final = 3
"""It could be done and must not: a missing right, a guard, somebody else's installation, a log in use."""
COLUMNS_IN_FILES: Final = 119
"""The width where no terminal says one."""

OrgArgument = Annotated[UUID, typer.Argument(metavar="ORG", help="The organization's id.")]
ToolArgument = Annotated[str, typer.Argument(metavar="TOOL", help="The tool's name.")]
Org = Annotated[UUID | None, typer.Option(metavar="ORG", help="Only this organization.")]
Code = Annotated[str | None, typer.Option(metavar="CODE", help="Only this error code, such as TS-301.")]
Limit = Annotated[int, typer.Option(help="Show at most this many.", min=1, max=100_000)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
At = Annotated[
    datetime | None,
    typer.Option(
        parser=parse_time, metavar="TIME", help="Show the state as of this time: 2026-11-28 14:30, 2h, today."
    ),
]
Since = Annotated[
    datetime | None,
    typer.Option(parser=parse_time, metavar="TIME", help="From this time on: 2026-11-28 14:30, 2h, yesterday."),
]
Until = Annotated[
    datetime | None, typer.Option(parser=parse_time, metavar="TIME", help="Before this time; same forms as --since.")
]
JaegerUrl = Annotated[
    str | None, typer.Option(envvar="JAEGER_UI_URL", help="Link traces to this Jaeger.", show_default=False)
]
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
OutcomesTopic = Annotated[
    str | None, typer.Option(envvar="OUTCOMES_TOPIC", help="Where outcomes go; by default the contract's topic.")
]
VapiUrl = Annotated[str | None, typer.Option(envvar="VAPI_BASE_URL", help="Where Vapi is.", show_default=False)]
VapiKey = Annotated[str | None, typer.Option(envvar="VAPI_API_KEY", help="The service's own key.", show_default=False)]
VapiAccount = Annotated[str, typer.Option(envvar="VAPI_ACCOUNT", help="The account's name.")]
KeyRate = Annotated[
    int | None, typer.Option(envvar="VAPI_REQUESTS_PER_MINUTE", help="The key's rate.", min=1, show_default=False)
]
RateShare = Annotated[float, typer.Option(envvar="VAPI_RATE_SHARE", help="tool-sync's share of it.", min=0, max=1)]
