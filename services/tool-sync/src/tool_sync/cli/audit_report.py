"""``tool-sync audit``: the report as text or JSON; exit status 1 on any gap."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from aiokafka.errors import KafkaError
from rich.console import Console

from tool_sync import db
from tool_sync.admin.live_all import read_all
from tool_sync.cli.account import account_document, account_lines
from tool_sync.cli.connected import APPLICATION, pooled
from tool_sync.cli.exits import EXIT_FOUND, EXIT_USAGE
from tool_sync.cli.exits import error as say
from tool_sync.cli.looking import At, looking
from tool_sync.cli.output import entry, print_json, print_lines, utc
from tool_sync.queries.audit.accepted import AcceptedUnavailable, accepted_saves
from tool_sync.queries.audit.history import History, TopicUnreadable, read_history
from tool_sync.queries.audit.judge import Report, judge
from tool_sync.queries.audit.looked import LiveRead
from tool_sync.queries.audit.parked import parked_records
from tool_sync.queries.coverage import coverage_of
from tool_sync.queries.waiting import Waiting, waiting
from tool_sync.vapi.rate_limit import PausedKey, paused_keys
from zerotouch_platform.kafka.durability import topic_warnings
from zerotouch_platform.kafka.ledger import open_losses
from zerotouch_platform.traces import page_of

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


@dataclass(frozen=True, slots=True)
class Window:
    """Which saves: from ``since``, up to ``until``. Each may go ``patience_seconds`` without an outcome."""

    since: datetime | None
    until: datetime | None
    patience_seconds: float


async def run_audit(
    sources: Sources, window: Window, *, as_json: bool, jaeger_url: str | None, live: At | None = None
) -> int:
    """Print the report; returns the exit status. ``live``: read Vapi, too."""
    try:
        report, topics, keys, behind = await _audited(sources, window, live)
    except (TopicUnreadable, AcceptedUnavailable, KafkaError) as error:
        say(f"not audited: {error}")
        return EXIT_USAGE
    except db.WAITED_OUT_ERRORS as error:
        say(f"not audited: {type(error).__name__}: {error}")
        return EXIT_USAGE
    if as_json:
        document = asdict(report) | {"topics": topics} | account_document(keys, behind)
        del document["not_looked_at"]
        print_json("audit", document, complete=report.is_complete, not_looked_at=report.not_looked_at)
    else:
        print_lines((*account_lines(keys, behind), *_text(report, jaeger_url, topics)))
    if report.has_gaps or not report.is_read_whole:
        return EXIT_FOUND
    # A window that was asked for may well hold no save; all of the topic without any, or with lost ones, is no audit.
    is_window = (window.since is not None or window.until is not None) and not report.counts
    return 0 if report.judged or is_window else EXIT_USAGE


async def _audited(
    sources: Sources, window: Window, live: At | None
) -> tuple[Report, Sequence[str], Sequence[PausedKey], Waiting]:
    """The report, warnings about topics, the keys that are paused, and what waits behind them."""
    progress = Console(stderr=True)
    accepted = None
    if sources.assistant_api_url and sources.token:
        # Before the topics: what is accepted after that is not looked for on them.
        accepted = await accepted_saves(sources.assistant_api_url, sources.token, since=window.since)
    history = await _history(sources, window.since, progress)
    topics = await topic_warnings(sources.bootstrap_servers, (sources.assistants_topic, sources.outcomes_topic))
    connection = await db.SESSIONS.connect(sources.database_url, application_name=APPLICATION)
    try:
        parked, coverage = await parked_records(connection), await coverage_of(connection)
        lost = [f"{loss} (`tool-sync lost acknowledge {loss.id}`)" for loss in await open_losses(connection)]
        keys, behind = await paused_keys(connection), await waiting(connection)
    finally:
        await connection.close()
    # Last: what the log calls synced by then is what is read.
    read = None if live is None else await _read(sources.database_url, live, progress)
    report = judge(
        history,
        accepted,
        parked,
        coverage,
        now=datetime.now(UTC),
        until=window.until,
        patience=timedelta(seconds=window.patience_seconds),
        since=window.since,
        lost=lost,
        live=read,
    )
    return report, topics, keys, behind


async def _history(sources: Sources, since: datetime | None, progress: Console) -> History:
    with progress.status("reading the topics") as status:

        def show(count: int) -> None:
            if count % 1000 == 0:
                status.update(f"reading the topics: {count:,} records")

        return await read_history(
            sources.bootstrap_servers,
            assistants_topic=sources.assistants_topic,
            outcomes_topic=sources.outcomes_topic,
            group_id=sources.group_id,
            since=since,
            on_record=show,
        )


async def _read(database_url: str, live: At, progress: Console) -> LiveRead:
    async with pooled(database_url) as pool, looking(pool, live) as look:
        with progress.status("reading Vapi") as status:
            return await read_all(pool, look, lambda count: status.update(f"reading Vapi: {count:,} assistants"))


def _text(report: Report, jaeger_url: str | None, topics: Iterable[str]) -> Iterator[str]:
    covered = report.coverage
    if covered.assistants:
        yield (
            f"{covered.percent:.2f} % of the assistants that should book can "
            f"({covered.equipped:,} of {covered.assistants:,}); `tool-sync coverage` names the others"
        )
    else:
        yield "no assistant should book: there is none for whose clinic a tool is wanted"
    for verdict, count in sorted(report.counts.items(), key=lambda item: -item[1]):
        yield f"saves {verdict.value}: {count:,}"
    if report.seconds:
        yield "save to outcome: " + ", ".join(
            f"{'max' if p == 100 else f'p{p}'} {seconds:.2f} s" for p, seconds in report.seconds.items()
        )
    if report.repeats:
        yield f"{report.repeats:,} records are repeats of a save, which is harmless"
    if report.findings:
        yield from _findings(report, jaeger_url)
    if report.live is not None and report.live.unreached:
        yield from _unreached(report.live)
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
        return f"no gap in the {report.judged:,} saves on the topic; not every assistant was read at Vapi"
    if not report.compared:
        return (
            f"no gap in the {report.judged:,} saves on the topic; whether every accepted save is there was not checked"
        )
    return f"complete: no gap in {report.judged:,} saves, within what was looked at"


def _unreached(live: LiveRead) -> Iterator[str]:
    yield "synced by the log, not reached at Vapi:"
    for one in live.unreached[:FINDINGS_SHOWN_MAX]:
        fields = (("organization", one.org_id), ("assistant", one.assistant_id), ("what", one.what))
        yield from entry(f"agent {one.agent_id}", fields)
    if len(live.unreached) > FINDINGS_SHOWN_MAX:
        yield f"{len(live.unreached) - FINDINGS_SHOWN_MAX:,} more: --json shows all"


def _findings(report: Report, jaeger_url: str | None) -> Iterator[str]:
    for finding in report.findings[:FINDINGS_SHOWN_MAX]:
        fields = (
            ("record", finding.place),
            ("request", finding.request_id),
            ("saved at", utc(finding.at)),
            ("detail", finding.detail),
            ("trace", page_of(finding.trace_id, jaeger_url) or finding.trace_id),
        )
        yield from entry(finding.verdict.value, fields)
    if len(report.findings) > FINDINGS_SHOWN_MAX:
        yield f"{len(report.findings) - FINDINGS_SHOWN_MAX:,} more: --json shows all"
