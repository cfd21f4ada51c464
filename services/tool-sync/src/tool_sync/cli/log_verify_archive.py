"""``tool-sync log verify-archive``: the archive by itself, beside the signed heads, and beside the live log."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tool_sync.cli.bar import bar
from tool_sync.cli.exits import EXIT_FOUND
from tool_sync.cli.log_heads import UNPROVED, HeadsSource, heads_lines, is_proved
from tool_sync.cli.output import print_json, print_lines, say_not_looked_at, utc
from tool_sync.db import Connection
from tool_sync.log.archive.folder import read_manifest
from tool_sync.log.archive.live import LiveCompared, compare_live
from tool_sync.log.archive.manifest import ArchiveManifest
from tool_sync.log.archive.verifying import ArchiveLook
from tool_sync.log.heads import LogStands
from tool_sync.outcomes.heads.comparing import HeadsCompared, compare_archived
from tool_sync.outcomes.heads.heads_topic import HeadsRead

BY_ITSELF: Final = "an archive that was written anew as a whole, with all its hashes: --heads or --database-url"
NOT_NEWER: Final = "whether there were newer files: without them and their part of the manifest it is an older archive"
NOT_LIVE: Final = "whether the log has the same events: --database-url"
NOT_THE_ROWS: Final = "whether the log's rows are still those of their hashes: `tool-sync log verify`"


async def verify_archived(
    connection: "Connection | None", folder: Path, source: HeadsSource | None, *, as_json: bool
) -> int:
    """Print what was found; returns the exit status."""
    manifest = read_manifest(folder)
    heads = None if source is None else await source.read()
    wanted = frozenset(head.position for head in heads.heads) if heads is not None else frozenset[int]()
    with bar() as say:
        end = manifest.last_position
        look = ArchiveLook(folder, manifest, lambda position: say("archive", position, end), wanted)
        live = None if connection is None else await compare_live(connection, look)
        if live is None:
            for _events in look.batches():
                pass
    compared = None if source is None or heads is None else _compare(source, heads, look)
    is_good = not look.findings and (live is None or not live.findings) and (compared is None or is_proved(compared))
    not_looked_at = list(_left_out(look, live, compared))
    if as_json:
        document = {
            "ok": is_good,
            "log_id": manifest.log_id,
            "installation_id": manifest.installation_id,
            "segments": len(manifest.segments),
            "end": end,
            "through": look.through,
            "findings": [asdict(finding) for finding in look.findings],
            "unfinished": look.unfinished,
            "live": live,
            "heads": compared,
        }
        complete = look.through == end and (compared is None or compared.proved_through == end)
        print_json("log verify-archive", document, complete=complete, not_looked_at=not_looked_at)
    else:
        print_lines(_lines(look, live))
        if compared is not None:
            print_lines(heads_lines(compared))
        say_not_looked_at(not_looked_at)
    return 0 if is_good else EXIT_FOUND


def _compare(source: HeadsSource, heads: HeadsRead, look: ArchiveLook) -> HeadsCompared:
    stands = _stands(look.manifest)
    return compare_archived(heads, source.keys, stands, look.hashes, look.sound_through)


def _stands(manifest: ArchiveManifest) -> LogStands:
    last = manifest.segments[-1] if manifest.segments else None
    return LogStands(
        manifest.log_id,
        manifest.last_position,
        last.last_hash if last else "",
        last.until if last else None,
        manifest.form_2_from,
        manifest.forked_from,
        manifest.forked_at,
    )


def _lines(look: ArchiveLook, live: LiveCompared | None) -> Iterator[str]:
    manifest = look.manifest
    for finding in (*look.findings, *(live.findings if live else ())):
        yield f"{finding.file}: " + (f"position {finding.position}: " if finding.position else "") + finding.problem
    for name in look.unfinished:
        yield f"{name}: no part of the archive; a run that was ended has left it, and the next one removes it"
    holds = "NOT as they were written" if look.findings else "all as they were written"
    files = f"{len(manifest.segments):,} {'file' if len(manifest.segments) == 1 else 'files'}"
    yield f"archive: {look.through:,} events in {files}, {holds}"
    if manifest.segments:
        since, until = manifest.segments[0].since, manifest.segments[-1].until
        yield (
            f"looked at: positions 1 to {look.through:,} of {manifest.last_position:,} of the log {manifest.log_id},"
            f" {utc(since)} to {utc(until)}"
        )
    if live is not None:
        same = "NOT all those of the log" if live.findings else "those of the log"
        yield f"log: positions and hashes 1 to {live.through:,} are {same}, which ends at {live.head:,}"


def _left_out(look: ArchiveLook, live: LiveCompared | None, compared: HeadsCompared | None) -> Iterator[str]:
    if look.through < look.manifest.last_position:
        yield f"positions above {look.through:,}"
    if look.manifest.segments and not look.reaches_form_2:
        yield "the order of the events: all have the older form of hashes, and the archive ends before the newer one"
    if live is None and compared is None:
        yield BY_ITSELF
    yield NOT_LIVE if live is None else NOT_THE_ROWS
    yield NOT_NEWER
    if compared is not None:
        yield from UNPROVED
