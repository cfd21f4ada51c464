"""The commands. Each imports what it needs when it runs."""

import asyncio
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

import typer

from tool_sync.cli import log, lost, operations, projection, relay, replay, tool
from tool_sync.cli.options import EXIT_FOUND, EXIT_USAGE, KeyRate, RateShare, VapiAccount, VapiKey, VapiUrl, utc
from zerotouch_contracts.topics import ASSISTANTS, OUTCOMES

if TYPE_CHECKING:
    from tool_sync.cli.looking import At

RATE_PATIENCE_SECONDS: Final = 120.0
"""The longest that a call of an audit waits for the key's rate, which is counted by the minute."""

app = typer.Typer(
    name="tool-sync",
    help="Makes every assistant have its tools in Vapi, and keeps the event log that proves it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

OrgArgument = Annotated[UUID, typer.Argument(metavar="ORG", help="The organization's id.")]
DatabaseOption = Annotated[str, typer.Option(envvar="DATABASE_URL", help="postgresql:// URL.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
AtOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"],
        help="As of then (UTC).",
    ),
]
JaegerOption = Annotated[
    str | None, typer.Option(envvar="JAEGER_UI_URL", help="Print traces as links to there.", show_default=False)
]

app.add_typer(projection.app, name="projection")
app.add_typer(log.app, name="log")
app.add_typer(relay.app, name="relay")
app.command()(replay.replay)
app.add_typer(operations.failures, name="failures")
app.add_typer(operations.dead_letters, name="dead-letters")
app.add_typer(tool.app, name="tool")
app.add_typer(lost.app, name="lost")


@app.command()
def run() -> None:
    """Run the service until SIGTERM or Ctrl-C; settings come from the environment."""
    from tool_sync.cli.run import run_service

    raise typer.Exit(run_service())


@app.command()
def migrate(
    database_url: Annotated[
        str, typer.Option(envvar="MIGRATE_DATABASE_URL", help="URL of the database's owner.", show_default=False)
    ],
) -> None:
    """Bring the database to the newest schema; two at once are safe."""
    from tool_sync import db
    from tool_sync.migrate import MigrationFailed
    from tool_sync.migrate import migrate as migrate_database

    try:
        asyncio.run(migrate_database(database_url))
    except (MigrationFailed, *db.TRANSIENT_ERRORS) as error:
        print(f"tool-sync: the migration failed: {type(error).__name__}: {error}", file=sys.stderr)
        raise typer.Exit(EXIT_FOUND) from None
    print("tool-sync: the database has the newest schema", file=sys.stderr)


@app.command()
def history(
    org_id: OrgArgument,
    database_url: DatabaseOption,
    after: Annotated[int, typer.Option(help="Only events above this position.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="At most so many events.", min=1, max=10_000)] = 100,
    as_json: JsonOption = False,
) -> None:
    """Show what happened to an organization, oldest first."""
    from tool_sync.cli.show import show_history

    raise typer.Exit(asyncio.run(show_history(database_url, org_id, after=after, limit=limit, as_json=as_json)))


@app.command()
def tools(org_id: OrgArgument, database_url: DatabaseOption, at: AtOption = None, as_json: JsonOption = False) -> None:
    """Show the tools that an organization has in Vapi, or had."""
    from tool_sync.cli.show import show_tools

    raise typer.Exit(asyncio.run(show_tools(database_url, org_id, at=utc(at), as_json=as_json)))


@app.command()
def why(
    org_id: OrgArgument,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="The tool's name.")],
    database_url: DatabaseOption,
    at: AtOption = None,
    jaeger_url: JaegerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why an organization has a tool or lacks it, what led there, and what happens next."""
    from tool_sync.cli.explain import show_why

    answer = show_why(database_url, org_id, tool, at=utc(at), as_json=as_json, jaeger_url=jaeger_url)
    raise typer.Exit(asyncio.run(answer))


@app.command()
def explain(
    assistant: Annotated[str, typer.Argument(metavar="ASSISTANT", help="Its id at Vapi, or the agent's own.")],
    database_url: DatabaseOption,
    at: AtOption = None,
    jaeger_url: JaegerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what happened to an assistant, what it has and lacks, and what happens next."""
    from tool_sync.cli.explain import show_explanation

    answer = show_explanation(database_url, assistant, at=utc(at), as_json=as_json, jaeger_url=jaeger_url)
    raise typer.Exit(asyncio.run(answer))


@app.command()
def words(
    database_url: DatabaseOption,
    org: Annotated[UUID | None, typer.Option(help="Only about this organization.")] = None,
    agent: Annotated[str | None, typer.Option(help="Only about this agent's assistant.")] = None,
    trace: Annotated[str | None, typer.Option(help="Only in this trace.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show what Vapi said where it refused something; it is kept for 30 days."""
    from tool_sync.cli.words import show_words

    answer = show_words(database_url, org_id=org, agent_id=agent, trace_id=trace, limit=limit, as_json=as_json)
    raise typer.Exit(asyncio.run(answer))


@app.command()
def check(
    target: Annotated[str, typer.Argument(metavar="ORG|ASSISTANT", help="An organization, or one assistant.")],
    database_url: DatabaseOption,
    live: Annotated[bool, typer.Option("--live", help="Read Vapi now; without it, say what the log knows.")] = False,
    calls: Annotated[int, typer.Option(help="With --live: make at most so many calls.", min=1, max=10_000)] = 200,
    vapi_base_url: VapiUrl = None,
    vapi_api_key: VapiKey = None,
    account: VapiAccount = "platform",
    requests_per_minute: KeyRate = None,
    rate_share: RateShare = 0.6,
    as_json: JsonOption = False,
) -> None:
    """Say whether the callers of a clinic's assistants can book, and what stands in the way.

    Exit status 0: every assistant that should book can. 1: one cannot, or was not looked at. 2: no key, or a wrong one.
    """
    from tool_sync.cli.check import check

    at = _vapi(vapi_base_url, vapi_api_key, account, calls, requests_per_minute, rate_share) if live else None
    raise typer.Exit(asyncio.run(check(database_url, target, at, as_json=as_json)))


@app.command()
def coverage(
    database_url: DatabaseOption,
    org_id: Annotated[UUID | None, typer.Argument(metavar="[ORG]", help="Only this organization.")] = None,
    limit: Annotated[int, typer.Option(help="Show at most so many that cannot book.", min=1, max=100_000)] = 100,
    as_json: JsonOption = False,
) -> None:
    """Show how many assistants can book, of those that should, and why the others cannot; exit status 1 if any."""
    from tool_sync.cli.coverage import show_coverage

    raise typer.Exit(asyncio.run(show_coverage(database_url, org_id, limit=limit, as_json=as_json)))


def _vapi(
    base_url: str | None,
    api_key: str | None,
    account: str,
    calls_max: int,
    requests_per_minute: int | None,
    share: float,
    patience_seconds: float = 0.0,
) -> "At":
    from tool_sync.cli.looking import At

    if not base_url or not api_key:
        print("tool-sync: --live needs VAPI_BASE_URL and VAPI_API_KEY", file=sys.stderr)
        raise typer.Exit(EXIT_USAGE)
    rate = None if requests_per_minute is None else max(1, int(requests_per_minute * share))
    return At(base_url, api_key, account, calls_max, rate, patience_seconds)


audit_app = typer.Typer(help="Whether every save got its outcome, exactly one, and in time.")
app.add_typer(audit_app, name="audit")


@audit_app.callback(invoke_without_command=True)
def audit(
    context: typer.Context,
    database_url: DatabaseOption,
    kafka: Annotated[str, typer.Option(envvar="KAFKA_BOOTSTRAP_SERVERS", show_default=False)] = "localhost:9092",
    assistants_topic: Annotated[str, typer.Option(envvar="ASSISTANTS_TOPIC")] = ASSISTANTS.name,
    outcomes_topic: Annotated[str, typer.Option(envvar="OUTCOMES_TOPIC")] = OUTCOMES.name,
    group: Annotated[str, typer.Option(envvar="CONSUMER_GROUP", help="tool-sync's consumer group.")] = "tool-sync",
    assistant_api_url: Annotated[
        str, typer.Option(envvar="ASSISTANT_API_URL", help="Where assistant-api is, for what it accepted.")
    ] = "http://localhost:3001",
    token: Annotated[str | None, typer.Option(envvar="PLATFORM_TOKEN", help="A platform token for it.")] = None,
    only_topics: Annotated[
        bool, typer.Option("--only-topics", help="Do not ask assistant-api: then nothing is called complete.")
    ] = False,
    since: AtOption = None,
    until: AtOption = None,
    patience_seconds: Annotated[
        float, typer.Option(envvar="GIVE_UP_SECONDS", help="How long a save may go without an outcome.", min=0)
    ] = 3600,
    live: Annotated[
        bool, typer.Option("--live", help="Read every assistant at Vapi, too, that the log calls synced.")
    ] = False,
    calls: Annotated[int, typer.Option(help="With --live: make at most so many calls.", min=1)] = 100_000,
    vapi_base_url: VapiUrl = None,
    vapi_api_key: VapiKey = None,
    account: VapiAccount = "platform",
    requests_per_minute: KeyRate = None,
    rate_share: RateShare = 0.6,
    jaeger_url: JaegerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare every save with its outcome.

    Exit status 1: a gap, or with --live an assistant whose callers do not reach our tool though the log calls it
    synced. 3: nothing could be audited, or with --live not everything was read.
    """
    if context.invoked_subcommand is not None:
        return
    from tool_sync.cli.audit import Sources, run_audit

    if not only_topics and not token:
        print("tool-sync: assistant-api is asked with PLATFORM_TOKEN; without one, --only-topics", file=sys.stderr)
        raise typer.Exit(EXIT_USAGE)
    at = None
    if live:
        at = _vapi(vapi_base_url, vapi_api_key, account, calls, requests_per_minute, rate_share, RATE_PATIENCE_SECONDS)
    asked = None if only_topics else assistant_api_url
    sources = Sources(database_url, kafka, assistants_topic, outcomes_topic, group, asked, token)
    answer = run_audit(
        sources,
        since=utc(since),
        until=utc(until),
        patience_seconds=patience_seconds,
        as_json=as_json,
        jaeger_url=jaeger_url,
        live=at,
    )
    raise typer.Exit(asyncio.run(answer))


@audit_app.command("acknowledge")
def acknowledge(
    topic: Annotated[str, typer.Argument()],
    partition: Annotated[int, typer.Argument(min=0)],
    offset: Annotated[int, typer.Argument(min=0)],
    database_url: DatabaseOption,
    reason: Annotated[str, typer.Option(help="Why it needs nothing more.")],
) -> None:
    """Close a parked record that needs nothing more."""
    from tool_sync.cli.audit import run_acknowledge
    from tool_sync.queries.audit import Place

    raise typer.Exit(asyncio.run(run_acknowledge(database_url, Place(topic, partition, offset), reason)))
