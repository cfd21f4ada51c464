"""``GET /v1/fleet/events``: what is published on the fleet's topic, by position; the same as :mod:`.feed` in all else.

A path of its own, so that no reader of ``/v1/events`` meets a type or a number that it does not know.
"""

from typing import Final

from tool_sync.http.feed import feed_router, serve_pages
from tool_sync.http.feed_reader import FleetReader
from tool_sync.http.stream import serve_stream

router: Final = feed_router("/v1/fleet/events")
serve_pages(
    router,
    FleetReader,
    name="get_fleet_events",
    summary="List what became of tools and rollouts, page by page",
    description="""\
The same events as on the fleet's topic, as CloudEvents; paged, kept and awaited as `/v1/events` are.

`sequence` counts them per organization, and per rollout those about a rollout, which name it as `rolloutid` in the
place of `orgid`. An organization's token reads its own; rollouts are the platform's.""",
)
serve_stream(
    router,
    FleetReader,
    name="get_fleet_stream",
    summary="Stream what becomes of tools and rollouts, as it happens",
    description="Server-sent events, as those of `/v1/events/stream`.",
)
