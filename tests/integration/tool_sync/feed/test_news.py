"""What another process stored wakes this one's relay: by NOTIFY, far within the relay's own poll."""

import asyncio
from uuid import uuid4

import pytest

from tool_sync import db
from tool_sync.log import EventLog
from tool_sync.outcomes.feed import Tail
from tool_sync.settings import Settings
from zerotouch_platform.loops import pause

from ..test_relay import DRIFT, append, synced


@pytest.mark.parametrize(("published", "woken"), [(True, True), (False, False)])
async def test_an_outcome_of_another_process_is_news_and_what_is_not_published_is_none(
    settings: Settings, event_log: EventLog, pool: db.Pool, published: bool, woken: bool
) -> None:
    news = asyncio.Event()
    tail = Tail(settings.database_url, on_news=news.set)
    running = asyncio.create_task(tail.run_forever())
    try:
        await tail.beyond(0, None, seconds=1)  # until it listens: the log is not empty
        await append(event_log, uuid4(), DRIFT)
        news.clear()
        await append(event_log, uuid4(), synced(1) if published else DRIFT)
        assert await pause(news, 0.5) is woken
    finally:
        tail.stop()
        await running
