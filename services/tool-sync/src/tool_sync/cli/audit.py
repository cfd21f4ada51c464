"""``tool-sync audit``: the report as text or JSON; exit status 1 on any gap."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from aiokafka.errors import KafkaError
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table

from tool_sync import db
from tool_sync.admin.dead_letters import acknowledge
from tool_sync.admin.live_all import read_all
from tool_sync.cli.account import account_document, account_lines
from tool_sync.cli.explain import trace_link
from tool_sync.cli.looking import At, looking
from tool_sync.cli.options import COLUMNS_IN_FILES
from tool_sync.cli.show import EXIT_DATABASE
from tool_sync.queries.audit import (
    AcceptedUnavailable,
    LiveRead,
    Place,
    Report,
    accepted_saves,
    judge,
    parked_records,
    read_history,
)
from tool_sync.queries.audit.history import TopicUnreadable
from tool_sync.queries.coverage import coverage_of
from tool_sync.queries.waiting import waiting
from tool_sync.vapi.rate_limit import paused_keys
from zerotouch_platform.kafka.durability import topic_warnings
from zerotouch_platform.kafka.ledger import open_losses

EXIT_GAP: Final = 1
EXIT_NOT_AUDITED: Final = 3
FINDINGS_SHOWN_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Sources:
    """Where everything is. Without ``assistant_api_url`` what was accepted is not compared, and the report says so."""

    database_url: str
    bootstrap_servers: str
    assistants_topic: str
    outcomes_topic: str
    group_id: str
    assistant_api_url: str | None
    token: str | None


async def run_audit(
    sources: Sources,
    *,
    since: datetime | None,
    until: datetime | None,
    patience_seconds: float,
    as_json: bool,
    jaeger_url: str | None,
    live: At | None = None,
) -> int:
    """Print the report; returns the exit status. ``live``: read Vapi, too."""
    console = Console(stderr=True)
    try:
        accepted = None
        if sources.assistant_api_url and sources.token:
            # Before the topics: what is accepted after that is not looked for on them.
            accepted = await accepted_saves(sources.assistant_api_url, sources.token, since=since)
        with console.status("reading the topics") as status:

            def show(count: int) -> None:
                if count % 1000 == 0:
                    status.update(f"reading the topics: {count:,} records")

            history = await read_history(
                sources.bootstrap_servers,
                assistants_topic=sources.assistants_topic,
                outcomes_topic=sources.outcomes_topic,
                group_id=sources.group_id,
                since=since,
                on_record=show,
            )
        topics = await topic_warnings(sources.bootstrap_servers, (sources.assistants_topic, sources.outcomes_topic))
        connection = await db.connect(sources.database_url, application_name="tool-sync cli")
        try:
            parked, coverage = await parked_records(connection), await coverage_of(connection)
            lost = [f"{loss} (`tool-sync lost acknowledge {loss.id}`)" for loss in await open_losses(connection)]
            keys, behind = await paused_keys(connection), await waiting(connection)
        finally:
            await connection.close()
        # Last: what the log calls synced by then is what is read.
        read = None if live is None else await _read(sources.database_url, live, console)
    except (TopicUnreadable, AcceptedUnavailable, KafkaError) as error:
        print(f"tool-sync: not audited: {error}", file=sys.stderr)
        return EXIT_NOT_AUDITED
    except db.TRANSIENT_ERRORS as error:
        print(f"tool-sync: not audited: {type(error).__name__}: {error}", file=sys.stderr)
        return EXIT_NOT_AUDITED
    report = judge(
        history,
        accepted,
        parked,
        coverage,
        now=datetime.now(UTC),
        until=until,
        patience=timedelta(seconds=patience_seconds),
        since=since,
        lost=lost,
        live=read,
    )
    if as_json:
        document = asdict(report) | {"complete": report.is_complete, "topics": topics} | account_document(keys, behind)
        print(to_json(document, indent=2).decode())
    else:
        out = Console(width=None if sys.stdout.isatty() else COLUMNS_IN_FILES, highlight=False)
        for told in account_lines(keys, behind):
            out.print(told, markup=False, soft_wrap=True)
        for line in _text(report, jaeger_url, topics):
            out.print(line)
    if report.has_gaps:
        return EXIT_GAP
    if not report.is_read_whole:
        return EXIT_NOT_AUDITED
    # A window that was asked for may well hold no save; all of the topic without any, or with lost ones, is no audit.
    is_window = (since is not None or until is not None) and not report.counts
    return 0 if report.judged or is_window else EXIT_NOT_AUDITED


async def _read(database_url: str, live: At, console: Console) -> LiveRead:
    pool = await db.create_pool(database_url, size_max=2, application_name="tool-sync cli")
    try:
        async with looking(pool, live) as look:
            with console.status("reading Vapi") as status:
                return await read_all(pool, look, lambda count: status.update(f"reading Vapi: {count:,} assistants"))
    finally:
        await pool.close()


async def run_acknowledge(database_url: str, place: Place, reason: str) -> int:
    """Close a parked record; returns the exit status."""
    try:
        connection = await db.connect(database_url, application_name="tool-sync cli")
        try:
            done = await acknowledge(connection, place, reason)
        finally:
            await connection.close()
    except db.TRANSIENT_ERRORS as error:
        print(f"tool-sync: the database does not answer: {type(error).__name__}: {error}", file=sys.stderr)
        return EXIT_DATABASE
    if not done:
        print(f"tool-sync: there is no open dead letter at {place}", file=sys.stderr)
        return EXIT_GAP
    print(f"tool-sync: {place} is closed: {reason}", file=sys.stderr)
    return 0


def _text(report: Report, jaeger_url: str | None, topics: Iterable[str]) -> Iterator[str | Table]:
    covered = report.coverage
    if covered.assistants:
        yield (
            f"{covered.percent:.2f} % of the assistants that should book can "
            f"({covered.equipped:,} of {covered.assistants:,}); `tool-sync coverage` names the others"
        )
    else:
        yield "no assistant should book: there is none whose clinic wants a tool"
    counts = Table("saves", "what became of them", box=None)
    for verdict, count in sorted(report.counts.items(), key=lambda item: -item[1]):
        counts.add_row(f"{count:,}", verdict.value)
    yield counts
    if report.seconds:
        yield "save to outcome: " + ", ".join(
            f"{'max' if p == 100 else f'p{p}'} {seconds:.2f} s" for p, seconds in report.seconds.items()
        )
    if report.repeats:
        yield f"{report.repeats:,} records are repeats of a save, which is harmless"
    if report.findings:
        yield _findings(report, jaeger_url)
    if report.live is not None and report.live.unreached:
        yield _unreached(report.live)
    for what in report.lost:
        yield f"LOST: {what}"
    for what in topics:
        yield f"WARNING: {what}"
    for what in report.looked_at:
        yield f"looked at: {what}"
    for what in report.not_looked_at:
        yield what if what.startswith("not compared") else f"not looked at: {what}"
    yield _verdict(report)


def _verdict(report: Report) -> str:
    if report.has_gaps:
        return "GAPS: see above"
    if not report.judged:
        return "NOTHING was audited: there is no save to look at"
    if not report.is_read_whole:
        return f"no gap in the {report.judged:,} saves on the topic; Vapi was not read whole"
    if not report.compared:
        return (
            f"no gap in the {report.judged:,} saves on the topic; whether all accepted ones are there was not looked at"
        )
    return f"complete: no gap in {report.judged:,} saves, as far as was looked"


def _unreached(live: LiveRead) -> Table:
    table = Table("synced by the log, not reached at Vapi", title_justify="left")
    for heading in ("agent", "assistant", "what"):
        table.add_column(heading, overflow="fold")
    for one in live.unreached[:FINDINGS_SHOWN_MAX]:
        table.add_row(str(one.org_id), one.agent_id, one.assistant_id or "", one.what)
    if len(live.unreached) > FINDINGS_SHOWN_MAX:
        table.caption = f"{len(live.unreached) - FINDINGS_SHOWN_MAX:,} more: --json shows all"
    return table


def _findings(report: Report, jaeger_url: str | None) -> Table:
    table = Table("what", "record", "request")
    for heading in ("saved at (UTC)", "detail", "trace"):
        table.add_column(heading, overflow="fold")
    for finding in report.findings[:FINDINGS_SHOWN_MAX]:
        table.add_row(
            finding.verdict.value,
            str(finding.place or ""),
            str(finding.request_id or ""),
            f"{finding.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            finding.detail,
            trace_link(finding.trace_id, jaeger_url),
        )
    if len(report.findings) > FINDINGS_SHOWN_MAX:
        table.caption = f"{len(report.findings) - FINDINGS_SHOWN_MAX:,} more: --json shows all"
    return table
