"""``python -m benchmarks.append_umadb URL``: 64 threads append to a UmaDB server; prints the rate as JSON.

One event a call, under the condition that nothing with the tag of its stream came after the position that the thread
appended last: what the version of a stream promises with us. The server makes an append durable before it answers
(umadb-core: data pages, fsync, header page, fsync, once for all appends that wait), which no setting turns off.
"""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from umadb import AppendCondition, Client, Event, Query, QueryItem

from benchmarks.append import APPENDERS, APPENDS, STATE, WARM_UP


class Stream:
    """One stream and its only writer, with a connection of its own."""

    def __init__(self, url: str) -> None:
        self._client = Client(url)
        self._tag = f"org-{uuid4()}"
        self._query = Query([QueryItem(tags=[self._tag])])
        self._last: int | None = None

    def append(self, count: int) -> None:
        """Append one event after the other."""
        for _ in range(count):
            event = Event("SyncRequested", STATE, [self._tag], uuid4())
            self._last = self._client.append([event], AppendCondition(self._query, self._last))


def main(url: str) -> None:
    """Warm up, measure, check that every event is there."""
    streams = [Stream(url) for _ in range(APPENDERS)]
    all_started = threading.Barrier(APPENDERS)
    with ThreadPoolExecutor(APPENDERS, initializer=all_started.wait) as threads:

        def run(each: int) -> None:
            for done in [threads.submit(stream.append, each) for stream in streams]:
                done.result()

        run(WARM_UP // APPENDERS)
        started = time.perf_counter()
        run(APPENDS // APPENDERS)
        seconds = time.perf_counter() - started
    client = Client(url)  # it ends its answers when it is dropped
    stored = sum(1 for _ in client.read())
    assert stored == APPENDS + WARM_UP, f"expected {APPENDS + WARM_UP} events, found {stored}"
    print(json.dumps({"appends_per_second": APPENDS / seconds}))


if __name__ == "__main__":
    main(sys.argv[1])
