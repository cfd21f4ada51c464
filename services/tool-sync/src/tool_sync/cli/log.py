"""``tool-sync log verify | heads | decisions | archive | verify-archive | fork``: does the log hold together?

And does it justify what was done; and a copy of it that proves itself.
"""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal
from uuid import UUID

import typer

from tool_sync.cli.ending import end_answered, end_connected, end_with
from tool_sync.cli.exits import EXIT_REFUSED
from tool_sync.cli.options import (
    BootstrapServers,
    DatabaseUrl,
    FleetTopic,
    Json,
    OutcomesTopic,
    OwnerUrl,
    ReasonNeeded,
    VapiAccount,
    parse_time,
)

if TYPE_CHECKING:
    from tool_sync.db import Connection

app = typer.Typer(name="log", help="Verify the event log and its decisions, or give it a new id.", no_args_is_help=True)

LIST_DEADLINE_SECONDS: Final = 30.0
"""For each call of a fork, whose pages of tools are long."""

HeadsTopic = Annotated[
    str | None,
    typer.Option(envvar="HEADS_TOPIC", help="Name the topic of signed heads; the default is the contract's."),
]
SigningKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--signing-key",
        envvar="LOG_SIGNING_KEY_FILE",
        metavar="FILE",
        help="Without --keys, take this key's public half.",
    ),
]
HeadsAsked = Annotated[
    bool,
    typer.Option("--heads", help="Compare with the signed heads on their topic; needs --kafka and --keys."),
]
HeadsFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Compare with heads that were kept aside: lines of `log heads`."),
]
VerifyKeysFile = Annotated[
    Path | None,
    typer.Option(envvar="LOG_VERIFY_KEYS", metavar="FILE", help="Trust heads signed by these public keys, in PEM."),
]
ArchiveDir = Annotated[Path, typer.Argument(metavar="DIR", help="The archive's folder.", file_okay=False)]


@app.command()
def verify(
    database_url: DatabaseUrl,
    kafka: Annotated[
        str | None,
        typer.Option("--kafka", envvar="KAFKA_BOOTSTRAP_SERVERS", help="Look at the topics, too, at this host:port."),
    ] = None,
    topic: OutcomesTopic = None,
    fleet_topic: FleetTopic = None,
    heads: HeadsAsked = False,
    heads_file: HeadsFile = None,
    keys: VerifyKeysFile = None,
    heads_topic: HeadsTopic = None,
    signing_key: SigningKeyFile = None,
    as_json: Json = False,
) -> None:
    """Verify positions, times, versions and hashes, and that no topic of tool-sync's is ahead of the log.

    With --heads or --heads-file: also that the log is what was signed of it, whoever owns its table.

    Exit status 1: the log is not as it was written or signed, no signed head covers any of it, or a topic is ahead.
    """
    from tool_sync.cli.log_heads import heads_source
    from tool_sync.cli.log_verify import verify_log

    topics = {"outcomes": topic, "fleet": fleet_topic}
    source = heads_source(heads_topic if heads else None, kafka, heads_file, keys, signing_key, is_asked=heads)
    end_connected(database_url, verify_log, kafka, topics, source, as_json=as_json)


@app.command()
def heads(kafka: BootstrapServers, heads_topic: HeadsTopic = None) -> None:
    """List every head on the topic, as lines of JSON to be kept where neither database nor Kafka is.

    They are listed as they are; `log verify --heads-file` says which are signed.
    """
    from tool_sync.cli.log_heads import print_heads

    end_with(print_heads(kafka, heads_topic))


@app.command()
def decisions(
    database_url: DatabaseUrl,
    without: Annotated[
        Literal["pins", "settings", "windows", "halts", "tiers"] | None,
        typer.Option(help="Decide once more as if this rule did not exist, and list what would have been otherwise."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Decide every write that was ever announced again, on what the log said then.

    With --without also by all rules but one: as if no clinic was ever pinned
    (pins), had set its tool (settings) or a change window (windows), no tool was
    ever halted (halts), or every version was for every tier (tiers). Listed are
    writes that would have been others, and tools that would not have been taken
    away. What would have been written besides is not: nothing in the log stands
    for it.

    Exit status 1: a write is not justified by the log.
    """
    from tool_sync.cli.log_decisions import show_decisions
    from tool_sync.queries.other_rules import Without

    rule = None if without is None else Without(without)
    end_connected(database_url, show_decisions, rule, as_json=as_json)


@app.command()
def archive(
    folder: ArchiveDir,
    database_url: DatabaseUrl,
    through: Annotated[
        int | None, typer.Option(metavar="POSITION", help="Stop after this position; by default at the end.", min=1)
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=parse_time, metavar="TIME", help="Stop before this time: 2026-11-28 14:30, 30d, today."),
    ] = None,
    segment_events: Annotated[
        int, typer.Option(metavar="N", help="Write at most this many events into a file.", min=1, max=100_000_000)
    ] = 1_000_000,
    as_json: Json = False,
) -> None:
    """Write copies of events into Parquet files in DIR, where its newest ends.

    Nothing is taken out of the log. Each file is read back and its hashes are
    computed again before it counts. A run that is ended goes on the next time.

    Exit status 1: the log is not as it was written. 3: DIR is of another log, or
    of what this one was before a restore.
    """
    from tool_sync.cli.exits import fail
    from tool_sync.cli.log_archive import archive_log, require_pyarrow
    from tool_sync.log.archive.request import WhatToArchive

    if through is not None and until is not None:
        fail("--through and --until exclude each other")
    require_pyarrow()
    end_connected(database_url, archive_log, folder, WhatToArchive(through, until, segment_events), as_json=as_json)


@app.command()
def verify_archive(
    folder: ArchiveDir,
    database_url: Annotated[
        str | None,
        typer.Option(envvar="DATABASE_URL", help="Compare with the log at this postgresql:// URL, too."),
    ] = None,
    heads: HeadsAsked = False,
    heads_file: HeadsFile = None,
    kafka: Annotated[
        str | None,
        typer.Option("--kafka", envvar="KAFKA_BOOTSTRAP_SERVERS", help="Read the heads at this host:port."),
    ] = None,
    keys: VerifyKeysFile = None,
    heads_topic: HeadsTopic = None,
    signing_key: SigningKeyFile = None,
    as_json: Json = False,
) -> None:
    """Verify an archive: its files, their order, and the hash of each event.

    No database is needed. With one, each position and hash is compared with the
    log; with --heads or --heads-file also with what was signed of it.

    Exit status 1: the archive is not as it was written or signed, or is not the
    log's. 3: the log is another.
    """
    from tool_sync.cli.log_archive import require_pyarrow

    require_pyarrow()
    from tool_sync.cli.log_heads import heads_source
    from tool_sync.cli.log_verify_archive import verify_archived

    source = heads_source(heads_topic if heads else None, kafka, heads_file, keys, signing_key, is_asked=heads)
    if database_url is None:
        end_answered(verify_archived(None, folder, source, as_json=as_json))
    else:
        end_connected(database_url, verify_archived, folder, source, as_json=as_json)


@app.command()
def fork(
    database_url: OwnerUrl,
    vapi_base_url: Annotated[str, typer.Option(envvar="VAPI_BASE_URL", help="Call Vapi at this URL.")],
    vapi_api_key: Annotated[
        str, typer.Option(envvar="VAPI_API_KEY", help="Call Vapi with this key, the service's own.")
    ],
    installation_id: Annotated[
        UUID, typer.Option(envvar="INSTALLATION_ID", help="Look for the tools of this installation.")
    ],
    reason: ReasonNeeded,
    account: VapiAccount = "platform",
    settle_seconds: Annotated[
        float, typer.Option(envvar="SETTLE_SECONDS", help="Wait until no call to Vapi can land any more.")
    ] = 20,
    yes: Annotated[bool, typer.Option("--yes", help="Skip the question; every subscriber must rebuild.")] = False,
) -> None:
    """Give the log a new id after a restore, and list what Vapi has that the backup lacks. Stop tool-sync first.

    Exit status 3: a process of tool-sync is connected, or the database belongs to another installation.
    """
    from tool_sync.cli.connected import pooled
    from tool_sync.cli.exits import error as say
    from tool_sync.cli.log_fork import fork_log
    from tool_sync.cli.looking import client_of, own_accounts

    if not yes and not typer.confirm("Every subscriber will stop until it is rebuilt. Give the log a new id?"):
        say("nothing was changed")
        raise typer.Exit(EXIT_REFUSED)
    vapi = client_of(vapi_base_url, vapi_api_key, account, LIST_DEADLINE_SECONDS, connections_max=1)

    async def work(connection: "Connection") -> int:
        async with pooled(database_url) as pool:
            own = own_accounts(pool, vapi_base_url, LIST_DEADLINE_SECONDS)
            return await fork_log(connection, vapi, own, installation_id, settle_seconds, reason)

    end_connected(database_url, work)
