"""Signs where the log stands, once a minute, where it has moved; one process at a time.

    lead      a session lock, as the relays have: whoever has it signs, the others ask for it every minute
    last      the newest head of this log on the topic: read when a process begins to lead, and after any trouble
    compare   the log still has the last head's hash at its position; else nothing is signed on top of it
    sign      position, hash and counts, and the digest of the last head
    send      until Kafka has it; nothing of the log waits for that

A process that dies between signing and sending has sent the head or not: its successor reads the topic and goes on from
what is there. Two that sign for a moment make two heads after the same one, both of what was so. A head that is sent
twice is the same head.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.log.heads import LogStands, counts_between, hashes_at, note_signed, read_stands
from tool_sync.outcomes.heads.heads_topic import newest_head
from tool_sync.outcomes.heads.keys import SigningKey
from tool_sync.settings import Settings
from zerotouch_contracts.heads import UNSIGNED, LogHead, digest_of, head_record
from zerotouch_contracts.kafka import TROUBLE
from zerotouch_platform.kafka.producer import producing
from zerotouch_platform.kafka.topics import KafkaUnavailable, require_topics
from zerotouch_platform.loops import Loop, in_one_line
from zerotouch_platform.postgres.leader import Lead, LeadershipLost

HEADS_LOCK: Final = 7314
SEND_SECONDS_MAX: Final = 10.0
IDLE_ROUNDS: Final = 3
"""So many rounds a process may be silent before PostgreSQL ends its session, and another one may lead."""
IDLE_SECONDS_MIN: Final = 30.0

log = structlog.get_logger(__name__)


class HeadRefused(Exception):
    """The log is not what was signed of it; nothing is signed on top of it. The message says what is missing."""


class HeadSigner:
    """``monotonic`` and ``now`` (UTC) are arguments so that tests can decide them.

    ``problem``: why nothing is signed, in words for an operator; None where heads are sent, or another process leads.
    """

    def __init__(
        self,
        settings: Settings,
        pool: db.Pool,
        log_id: UUID,
        key: SigningKey,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings, self._pool, self._log_id, self._key = settings, pool, log_id, key
        self._monotonic, self._now = monotonic, now
        self._lead = Lead(
            settings.database_url,
            HEADS_LOCK,
            application_name="tool-sync heads",
            idle_session_seconds=max(IDLE_SECONDS_MIN, IDLE_ROUNDS * settings.log_head_seconds),
        )
        self._last: LogHead | None = None
        self._is_read = False
        self._noted = 0
        self._failing_since: float | None = None
        self._alarmed = False
        self.problem: str | None = None
        transient = (KafkaUnavailable, LeadershipLost, HeadRefused, *TROUBLE, *db.WAITED_OUT_ERRORS)
        self.loop: Final = Loop(
            self.run_once,
            settings.log_head_seconds,
            "The head of the log is not signed",
            transient,
            fault="The head of the log was not signed for a fault of ours",
            at_end=self._resign,
        )

    async def run_once(self) -> LogHead | None:
        """Sign and send a head where this process leads and the log has moved; the head, if there is one."""
        try:
            head = await self._sign() if await self._leads() else None
        except Exception as error:
            await self._resign()
            self._failed(error)
            raise
        self.problem, self._failing_since, self._alarmed = None, None, False
        return head

    async def _leads(self) -> bool:
        if await self._lead.is_kept():
            return True
        self._forget()
        return await self._lead.take()

    async def _resign(self) -> None:
        self._forget()
        await self._lead.resign()

    def _forget(self) -> None:
        """What was read while this process led: another one may have signed since."""
        self._last, self._is_read, self._noted = None, False, 0

    async def _sign(self) -> LogHead | None:
        servers, topic = self._settings.kafka_bootstrap_servers, self._settings.heads_topic
        if not self._is_read:
            self._last = await newest_head(servers, topic, self._log_id, self._key.verifies)
            self._is_read = True
        stands = await read_stands(self._pool)
        if stands.log_id != self._log_id:
            raise HeadRefused(f"the log is now {stands.log_id}, and this process works on {self._log_id}: restart it")
        await self._require_as_signed(stands)
        head = None
        if stands.position != (self._last.position if self._last else 0):
            head = await signed_head(self._pool, self._key, stands, self._last, self._now())
            await self._send(head)
            self._last = head
        if self._last is not None and self._noted != self._last.position:
            await note_signed(self._pool, self._last.position)
            self._noted = self._last.position
        return head

    async def _require_as_signed(self, stands: LogStands) -> None:
        if (last := self._last) is None:
            return
        found = await hashes_at(self._pool, [last.position])
        if found.get(last.position) == last.hash:
            return
        has = "has another hash there" if found else f"ends at {stands.position:,}"
        raise HeadRefused(
            f"position {last.position:,} was signed at {last.signed_at:%Y-%m-%d %H:%M:%S} UTC, and the log {has}: it"
            " was set back or changed; see `tool-sync log verify --heads`"
        )

    async def _send(self, head: LogHead) -> None:
        servers, topic, record = self._settings.kafka_bootstrap_servers, self._settings.heads_topic, head_record(head)
        await require_topics(servers, [topic])
        async with producing(
            servers,
            "tool-sync-heads",
            seconds_max=SEND_SECONDS_MAX,
            cut_off="heads topic: a producer did not close cleanly",
        ) as producer:
            await producer.send_and_wait(topic, record.value, record.key, headers=list(record.headers))

    def _failed(self, error: Exception) -> None:
        """Say it loudly once it lasts: what happens meanwhile is proved by nothing."""
        self.problem, now = in_one_line(error), self._monotonic()
        if self._failing_since is None:
            self._failing_since = now
        lasts_seconds = now - self._failing_since
        late = lasts_seconds >= self._settings.log_head_late_seconds or isinstance(error, HeadRefused)
        if late and not self._alarmed:
            self._alarmed = True
            log.error("Heads of the log are not sent", reason=self.problem, seconds=round(lasts_seconds), alarm=True)


async def signed_head(
    connection: "db.Connection | db.Pool", key: SigningKey, stands: LogStands, last: LogHead | None, now: datetime
) -> LogHead:
    """The head of a log that is not empty, after ``last``."""
    assert stands.recorded_at is not None, "an empty log has no head"
    counts = dict(last.counts) if last else {}
    for kind, events in (await counts_between(connection, last.position if last else 0, stands.position)).items():
        counts[kind] = counts.get(kind, 0) + events
    head = LogHead(
        log_id=stands.log_id,
        position=stands.position,
        hash=stands.hash,
        form=stands.form,
        recorded_at=stands.recorded_at,
        counts=dict(sorted(counts.items())),
        signed_at=now,
        previous=digest_of(last) if last else None,
        key_id=key.key_id,
        signature=UNSIGNED,
    )
    return key.signed(head)
