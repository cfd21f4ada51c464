"""The part of ``tool-sync log verify`` that asks signed heads, and ``tool-sync log heads``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tool_sync.cli.connected import answered
from tool_sync.cli.exits import fail
from tool_sync.cli.output import print_whole, utc
from tool_sync.outcomes.heads.comparing import HeadsCompared
from tool_sync.outcomes.heads.heads_topic import HeadsRead, all_heads, heads_of_lines
from tool_sync.outcomes.heads.keys import SigningKey, VerifyKeys
from zerotouch_contracts.topics import HEADS

NOT_ASKED: Final = "whether the log is as it was signed, which its table's owner cannot make so: --heads"
UNPROVED: Final = (
    "heads that were taken away, or never sent: who owns the topic as well can do that, unless heads are kept aside"
    " (`log heads`, --heads-file)",
    "a log that was false when it was signed: who holds the signing key signs anything",
)


@dataclass(frozen=True, slots=True)
class HeadsSource:
    """Where heads are read from: a topic, a file, or both; and the keys whose heads count."""

    servers: str | None
    topic: str | None
    file: Path | None
    keys: VerifyKeys

    async def read(self) -> HeadsRead:
        """What is there; of the file first, which is older. Raises ``KafkaUnavailable``."""
        kept = HeadsRead(()) if self.file is None else heads_of_lines(self.file.read_text(encoding="utf-8"))
        if self.servers is None or self.topic is None:
            return kept
        on_topic = await all_heads(self.servers, self.topic)
        return HeadsRead((*kept.heads, *on_topic.heads), kept.unreadable + on_topic.unreadable)


def heads_source(
    topic: str | None,
    servers: str | None,
    file: Path | None,
    keys: Path | None,
    signing_key: Path | None,
    *,
    is_asked: bool,
) -> HeadsSource | None:
    """From the options of the command; ends it where something is missing. None: heads are not asked."""
    if not is_asked and file is None:
        return None
    if is_asked and servers is None:
        fail("--heads needs --kafka")
    if file is not None and not file.is_file():
        fail(f"{file}: there is no such file")
    return HeadsSource(servers, (topic or HEADS.name) if is_asked else None, file, _keys(keys, signing_key))


def _keys(keys: Path | None, signing_key: Path | None) -> VerifyKeys:
    path = keys or signing_key
    if path is None:
        fail("heads need the public keys that verify them: --keys FILE (LOG_VERIFY_KEYS)")
    try:
        text = path.read_text(encoding="utf-8")
        return VerifyKeys.of_pem(text) if keys is not None else SigningKey(text).verifies
    except (OSError, ValueError) as error:
        fail(f"{path}: {error}")


async def print_heads(servers: str, topic: str | None) -> int:
    """Every head, one JSON document a line."""

    async def work() -> None:
        for head in (await all_heads(servers, topic or HEADS.name)).heads:
            print_whole(head.model_dump_json())

    return await answered(work())


def is_proved(compared: HeadsCompared) -> bool:
    """Whether the heads say nothing against the log, and something for it, unless it is empty."""
    return not compared.findings and (compared.proved_through > 0 or compared.head == 0)


def heads_lines(compared: HeadsCompared) -> Iterator[str]:
    """What the heads say, for people."""
    for finding in compared.findings:
        yield f"position {finding.position}: {finding.problem}"
    yield from (f"heads: {notice}" for notice in compared.notices)
    yield from _passed_over(compared)
    if (fork := compared.before_fork) is not None:
        yield (
            f"heads: until {utc(fork.forked_at)} this was the log {fork.log_id}, signed up to position {fork.signed:,}"
            f" at {utc(fork.signed_at)}; events 1 to {fork.kept:,} are as signed then"
            + (f", those up to {fork.signed:,} were lost" if fork.signed > fork.kept else "")
        )
    if compared.proved_through:
        yield f"proved: events 1 to {compared.proved_through:,} are as signed at {utc(compared.signed_at)}"
    else:
        yield "proved: NOTHING; " + (
            f"of {compared.heads:,} heads of this log none agrees with it"
            if compared.heads
            else "no head is of this log"
        )
    newer = compared.head - compared.proved_through
    if newer > 0:
        yield f"not proved: {newer:,} newer {'event is' if newer == 1 else 'events are'} not covered by such a head"


def _passed_over(compared: HeadsCompared) -> Iterator[str]:
    for count, what in (
        (compared.by_strangers, "signed by a key that is not among yours"),
        (compared.of_other_logs, "of other logs"),
        (compared.unreadable, "no heads that this release can read"),
    ):
        if count:
            yield f"heads: {count:,} passed over: {what}"
