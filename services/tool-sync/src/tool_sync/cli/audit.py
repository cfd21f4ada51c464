"""``tool-sync audit`` and ``tool-sync audit acknowledge``."""

from typing import Annotated, Final

import typer

from tool_sync.cli.ending import end_connected, end_with, fail
from tool_sync.cli.options import (
    BootstrapServers,
    DatabaseUrl,
    JaegerUrl,
    Json,
    KeyRate,
    RateShare,
    Since,
    Until,
    VapiAccount,
    VapiKey,
    VapiUrl,
)
from zerotouch_contracts.topics import ASSISTANTS, OUTCOMES

RATE_PATIENCE_SECONDS: Final = 120.0
"""The longest that a call of an audit waits for the key's rate, which is counted by the minute."""

app = typer.Typer(name="audit", help="Compare every save with its outcome.")


AssistantsTopic = Annotated[str, typer.Option(envvar="ASSISTANTS_TOPIC", help="Where saves come from.")]
OutcomesTopic = Annotated[str, typer.Option(envvar="OUTCOMES_TOPIC", help="Where outcomes go.")]
Group = Annotated[str, typer.Option(envvar="CONSUMER_GROUP", help="tool-sync's consumer group.")]
AssistantApi = Annotated[str, typer.Option(envvar="ASSISTANT_API_URL", help="Where to ask what was accepted.")]
Token = Annotated[str | None, typer.Option(envvar="PLATFORM_TOKEN", help="A platform token for assistant-api.")]
OnlyTopics = Annotated[
    bool, typer.Option("--only-topics", help="Do not ask assistant-api; then nothing is called complete.")
]
Patience = Annotated[
    float, typer.Option(envvar="GIVE_UP_SECONDS", help="How long a save may go without an outcome.", min=0)
]
Live = Annotated[bool, typer.Option("--live", help="Also read every assistant at Vapi that the log calls synced.")]
Calls = Annotated[int, typer.Option(help="With --live: make at most this many calls.", min=1)]


@app.callback(invoke_without_command=True)
def audit(
    context: typer.Context,
    database_url: DatabaseUrl,
    kafka: BootstrapServers = "localhost:9092",
    assistants_topic: AssistantsTopic = ASSISTANTS.name,
    outcomes_topic: OutcomesTopic = OUTCOMES.name,
    group: Group = "tool-sync",
    assistant_api_url: AssistantApi = "http://localhost:3001",
    token: Token = None,
    only_topics: OnlyTopics = False,
    since: Since = None,
    until: Until = None,
    patience_seconds: Patience = 3600,
    live: Live = False,
    calls: Calls = 100_000,
    vapi_base_url: VapiUrl = None,
    vapi_api_key: VapiKey = None,
    account: VapiAccount = "platform",
    requests_per_minute: KeyRate = None,
    rate_share: RateShare = 0.6,
    jaeger_url: JaegerUrl = None,
    as_json: Json = False,
) -> None:
    """Compare every save with its outcome.

    Exit status 1: a save without exactly one outcome; or with --live an assistant that the log calls synced and whose
    callers do not reach our tool, or that was not read. 2: nothing could be audited.
    """
    if context.invoked_subcommand is not None:
        return
    from tool_sync.cli.audit_report import Sources, Window, run_audit
    from tool_sync.cli.looking import at_vapi

    if not only_topics and not token:
        fail("assistant-api is asked with PLATFORM_TOKEN; without one, --only-topics")
    vapi = (vapi_base_url, vapi_api_key, account, calls, requests_per_minute, rate_share, RATE_PATIENCE_SECONDS)
    at = at_vapi(*vapi) if live else None
    asked = None if only_topics else assistant_api_url
    sources = Sources(database_url, kafka, assistants_topic, outcomes_topic, group, asked, token)
    window = Window(since, until, patience_seconds)
    end_with(run_audit(sources, window, as_json=as_json, jaeger_url=jaeger_url, live=at))


@app.command("acknowledge")
def acknowledge(
    topic: Annotated[str, typer.Argument()],
    partition: Annotated[int, typer.Argument(min=0)],
    offset: Annotated[int, typer.Argument(min=0)],
    database_url: DatabaseUrl,
    reason: Annotated[str, typer.Option(help="Why it needs nothing more.")],
) -> None:
    """Close a dead letter that needs nothing more."""
    from tool_sync.cli.letters import acknowledge_letter
    from tool_sync.queries.audit import Place

    place = Place(topic, partition, offset)
    end_connected(database_url, lambda connection: acknowledge_letter(connection, place, reason))
