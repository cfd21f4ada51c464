"""``tool-sync explain``, ``check`` and ``words``: one assistant, what its callers meet, and what Vapi said of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from tool_sync.cli.ending import end_connected, end_with
from tool_sync.cli.exits import fail
from tool_sync.cli.options import (
    At,
    DatabaseUrl,
    JaegerUrl,
    Json,
    KeyRate,
    Limit,
    Org,
    RateShare,
    VapiAccount,
    VapiKey,
    VapiUrl,
)
from tool_sync.cli.output import print_json, print_line

if TYPE_CHECKING:
    from tool_sync.db import Connection
    from tool_sync.vapi.words import Words


def explain(
    assistant: Annotated[str, typer.Argument(metavar="ASSISTANT", help="The id at Vapi, or the agent's id.")],
    database_url: DatabaseUrl,
    at: At = None,
    jaeger_url: JaegerUrl = None,
    as_json: Json = False,
) -> None:
    """Explain what happened to an assistant, what it has and lacks, and what happens next."""
    from tool_sync.cli.explain import show_explanation

    end_connected(database_url, show_explanation, assistant, at, jaeger_url, as_json=as_json)


def check(
    target: Annotated[str, typer.Argument(metavar="ORG|ASSISTANT", help="An organization, or one assistant.")],
    database_url: DatabaseUrl,
    live: Annotated[bool, typer.Option("--live", help="Read Vapi now; without this, show what the log knows.")] = False,
    calls: Annotated[
        int, typer.Option(help="With --live: make at most N calls.", metavar="N", min=1, max=10_000)
    ] = 200,
    vapi_base_url: VapiUrl = None,
    vapi_api_key: VapiKey = None,
    account: VapiAccount = "platform",
    requests_per_minute: KeyRate = None,
    rate_share: RateShare = 0.6,
    as_json: Json = False,
) -> None:
    """Check whether the callers of a clinic's assistants can book, and say what stands in the way.

    Exit status 1: an assistant that should book cannot, or was not read. 2: Vapi refuses the key, or none was given.
    """
    from tool_sync.cli.check import check as check_target
    from tool_sync.cli.looking import at_vapi

    at = at_vapi(vapi_base_url, vapi_api_key, account, calls, requests_per_minute, rate_share) if live else None
    end_with(check_target(database_url, target, at, as_json=as_json))


def words(
    database_url: DatabaseUrl,
    org: Org = None,
    agent: Annotated[str | None, typer.Option(help="Limit to this agent's assistant.")] = None,
    trace: Annotated[str | None, typer.Option(help="Limit to this trace.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Show what Vapi said when it refused something, in the last 30 days."""
    from tool_sync.vapi.words import read_words

    if org is None and agent is None and trace is None:
        fail("name a clinic, an agent or a trace: --org, --agent or --trace")

    async def work(connection: "Connection") -> None:
        found = await read_words(connection, org_id=org, agent_id=agent, trace_id=trace, limit=limit)
        if as_json:
            print_json("words", found, complete=len(found) < limit)
            return
        for one in found:
            _print_words(one)
        if not found:
            print_line("nothing that Vapi said in the last 30 days matches")
        elif len(found) == limit:
            print_line(f"the newest {limit} are shown; --limit shows more")

    end_connected(database_url, work)


def _print_words(one: "Words") -> None:
    times = "" if one.times == 1 else f", {one.times} times since {one.first_at:%Y-%m-%d %H:%M:%S}"
    print_line(f"{one.at:%Y-%m-%d %H:%M:%S} UTC  {one.code}  {one.route} answered {one.status or 'nothing'}{times}")
    print_line(f"  clinic {one.org_id}" + (f", agent {one.agent_id}" if one.agent_id else ""))
    if one.trace_id:
        print_line(f"  trace {one.trace_id}")
    print_line(f"  {one.words}")
