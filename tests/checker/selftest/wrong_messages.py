"""tool-sync, wrong in what it takes in, decides or publishes. Each function breaks the process that it runs in."""

import dataclasses
from typing import Any

from tests.checker.selftest.ports import port, put


def ack_before_commit() -> None:
    """Offsets are committed before the records are stored."""
    from zerotouch_platform.kafka.consumer import BatchConsumer

    original = port(BatchConsumer, "next_batch")

    async def next_batch(self: Any, consumer: Any) -> Any:
        batch = await original(self, consumer)
        await consumer.commit()
        return batch

    put(BatchConsumer, "next_batch", next_batch)


def cursor_before_publish() -> None:
    """The relay moves its cursor before it sends."""
    from tool_sync.outcomes.relay import cursor
    from tool_sync.outcomes.relay.relay import Relay, next_page

    async def run_once(self: Any, leader: Any, producer: Any) -> bool:
        (position, _), settings = await cursor.read(leader, self._published.cursor), self._settings
        page = await next_page(
            self._pool,
            after=position,
            limit=settings.relay_page_events_max,
            scan_max=settings.relay_scan_events_max,
            wanted=self._wanted,
        )
        if page.scanned_through == position:
            return False
        await cursor.advance(leader, self._published.cursor, old=position, new=page.scanned_through)
        await self._publish(page, producer)
        return True

    put(Relay, "run_once", run_once)


def outcome_twice() -> None:
    """A save is settled by two outcomes."""
    from tool_sync.domain import settling

    original = port(settling, "settle_synced")

    def settle(state: Any, command: Any) -> Any:
        events = original(state, command)
        last = events[-1].sequence
        again = (dataclasses.replace(e, sequence=last + n) for n, e in enumerate(events, 1) if e.requests)
        return (*events, *again) if last is not None else events

    put(settling, "settle_synced", settle)


def sequence_repeated() -> None:
    """An outcome takes the sequence of the one before it."""
    from tool_sync.domain import settling

    original = port(settling, "settle_synced")

    def settle(state: Any, command: Any) -> Any:
        return tuple(
            dataclasses.replace(event, sequence=max(1, event.sequence - 1)) if event.sequence else event
            for event in original(state, command)
        )

    put(settling, "settle_synced", settle)


def poison_dropped() -> None:
    """A record that cannot be read is passed over."""
    from tool_sync.intake import intake

    async def dropped(*_: Any) -> None:
        """Nothing is kept."""

    put(intake, "set_aside", dropped)


def unreadable_saves_forgotten() -> None:
    """A save whose message cannot be read is a dead letter and nothing else."""
    from tool_sync.intake import mapping

    put(mapping, "_unreadable_save", lambda *_: None)


def losses_not_written_down() -> None:
    """What is gone from the topic is not compared with what was read."""
    from zerotouch_platform.kafka import watch

    async def note(*_: Any) -> tuple[()]:
        return ()

    put(watch, "note", note)


def one_topic_for_ever() -> None:
    """A topic that was made again is taken for the one that was."""
    from zerotouch_platform.kafka import losses

    put(losses, "_is_another_log", lambda *_: False)
