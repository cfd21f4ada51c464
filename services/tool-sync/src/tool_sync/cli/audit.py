"""``tool-sync audit``."""

from typing import Annotated, Final

import typer

from tool_sync.cli.ending import end_with
from tool_sync.cli.exits import fail
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

AssistantsTopic = Annotated[str, typer.Option(envvar="ASSISTANTS_TOPIC", help="Read saves from this topic.")]
OutcomesTopic = Annotated[str, typer.Option(envvar="OUTCOMES_TOPIC", help="Read outcomes from this topic.")]
Group = Annotated[str, typer.Option(envvar="CONSUMER_GROUP", help="Name tool-sync's consumer group.")]
AssistantApi = Annotated[
    str, typer.Option(envvar="ASSISTANT_API_URL", help="Ask assistant-api at this URL what it accepted.")
]
Token = Annotated[str | None, typer.Option(envvar="PLATFORM_TOKEN", help="Show assistant-api this platform token.")]
OnlyTopics = Annotated[
    bool, typer.Option("--only-topics", help="Do not ask assistant-api; the audit is then never complete.")
]
Patience = Annotated[
    float,
    typer.Option(envvar="GIVE_UP_SECONDS", help="Allow a save this long to get its outcome.", metavar="SECONDS", min=0),
]
Live = Annotated[bool, typer.Option("--live", help="Read at Vapi, too, every assistant that the log calls synced.")]
Calls = Annotated[int, typer.Option(help="With --live: make at most this many calls.", metavar="N", min=1)]


def audit(
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

    Exit status 1: a save has no outcome, or two. 2: nothing could be audited.

    With --live also 1: callers of an assistant that the log calls synced do not reach our tool, or it was not read.
    """
    from tool_sync.cli.audit_report import Sources, Window, run_audit
    from tool_sync.cli.looking import at_vapi

    if not only_topics and not token:
        fail("PLATFORM_TOKEN is missing: set it so that assistant-api can be asked, or pass --only-topics")
    vapi = (vapi_base_url, vapi_api_key, account, calls, requests_per_minute, rate_share, RATE_PATIENCE_SECONDS)
    at = at_vapi(*vapi) if live else None
    asked = None if only_topics else assistant_api_url
    sources = Sources(database_url, kafka, assistants_topic, outcomes_topic, group, asked, token)
    window = Window(since, until, patience_seconds)
    end_with(run_audit(sources, window, as_json=as_json, jaeger_url=jaeger_url, live=at))
