"""Every option that more than one command takes."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from tool_sync.cli.exits import fail
from zerotouch_platform import times
from zerotouch_platform.worker_count import WORKERS_MAX


def parse_time(text: str, now: datetime | None = None) -> datetime:
    """The moment that is meant; without a zone it is UTC, and a day begins at midnight UTC."""
    try:
        return times.parse_time(text, now)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def kept_reason(context: typer.Context, reason: str) -> str:
    """The reason; ends the command where it cannot be kept. While a shell completes, nothing is said."""
    from tool_sync.domain.tool_setting import reason_problem

    if not context.resilient_parsing and (problem := reason_problem(reason)) is not None:
        fail(problem)
    return reason


OrgArgument = Annotated[UUID, typer.Argument(metavar="ORG", help="The organization's id.")]
ToolArgument = Annotated[str, typer.Argument(metavar="TOOL", help="The tool's name.")]
Org = Annotated[UUID | None, typer.Option(metavar="ORG", help="Limit to this organization.")]
Code = Annotated[str | None, typer.Option(metavar="CODE", help="Limit to this error code, such as TS-301.")]
Limit = Annotated[int, typer.Option(help="Take at most this many.", metavar="N", min=1, max=100_000)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, without doing it.")]
At = Annotated[
    datetime | None,
    typer.Option(
        parser=parse_time, metavar="TIME", help="Show the state as of this time: 2026-11-28 14:30, 2h, today."
    ),
]
Since = Annotated[
    datetime | None,
    typer.Option(parser=parse_time, metavar="TIME", help="Start at this time: 2026-11-28 14:30, 2h, yesterday."),
]
Until = Annotated[
    datetime | None,
    typer.Option(parser=parse_time, metavar="TIME", help="Stop before this time; takes the same forms as --since."),
]
Who = Annotated[str | None, typer.Option(metavar="WHO", help="Limit to this operator, such as operator:lee.")]
ReasonNeeded = Annotated[
    str,
    typer.Option(
        "--reason",
        callback=kept_reason,
        metavar="TEXT",
        help="Say why, in one line that is kept for ever and names no patient.",
    ),
]
Loopback = Annotated[
    bool,
    typer.Option(
        "--allow-loopback",
        envvar="TOOL_URL_LOOPBACK_ALLOWED",
        help="Allow a server on this machine; refused where VAPI_BASE_URL is the real Vapi.",
    ),
]
ServerUrl = Annotated[
    str, typer.Option(envvar="TOOL_SERVER_URL", metavar="URL", help="Let assistant-api's tools be called at this URL.")
]
CredentialId = Annotated[
    str | None,
    typer.Option(
        envvar="TOOL_SERVER_CREDENTIAL_ID", metavar="ID", help="Let Vapi sign those calls with this credential."
    ),
]
JaegerUrl = Annotated[str | None, typer.Option(envvar="JAEGER_UI_URL", help="Link traces to this Jaeger.")]
ConsoleUrl = Annotated[
    str | None, typer.Option(envvar="CONSOLE_URL", help="Link pages to the console at this address.")
]
DatabaseUrl = Annotated[str, typer.Option(envvar="DATABASE_URL", help="Connect to this postgresql:// URL.")]
OwnerUrl = Annotated[
    str,
    typer.Option("--database-url", envvar="MIGRATE_DATABASE_URL", help="Connect to this URL, as the database's owner."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Start N processes that share the port; by default WORKERS, else one.",
        min=1,
        max=WORKERS_MAX,
    ),
]
BootstrapServers = Annotated[
    str, typer.Option("--kafka", envvar="KAFKA_BOOTSTRAP_SERVERS", help="Connect to Kafka at this host:port.")
]
OutcomesTopic = Annotated[
    str | None, typer.Option(envvar="OUTCOMES_TOPIC", help="Name the outcomes topic; the default is the contract's.")
]
FleetTopic = Annotated[
    str | None,
    typer.Option(envvar="FLEET_TOPIC", help="Name the topic of changes of tools; the default is the contract's."),
]


class TopicWord(StrEnum):
    """A topic that tool-sync publishes on, by one word."""

    OUTCOMES = "outcomes"
    FLEET = "fleet"


OfTopic = Annotated[TopicWord, typer.Option("--of", help="Mean what is published on this topic.")]
VapiUrl = Annotated[str | None, typer.Option(envvar="VAPI_BASE_URL", help="Call Vapi at this URL.")]
VapiKey = Annotated[str | None, typer.Option(envvar="VAPI_API_KEY", help="Call Vapi with this key, the service's own.")]
VapiAccount = Annotated[str, typer.Option(envvar="VAPI_ACCOUNT", help="Name the Vapi account, as the service does.")]
KeyRate = Annotated[
    int | None,
    typer.Option(
        envvar="VAPI_REQUESTS_PER_MINUTE", help="Send at most this many requests a minute.", metavar="N", min=1
    ),
]
RateShare = Annotated[
    float, typer.Option(envvar="VAPI_RATE_SHARE", help="Take this share of that rate.", metavar="SHARE", min=0, max=1)
]
