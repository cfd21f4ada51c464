"""Which requests last: streams and long polls. They have a limit of their own (``LIMIT_ORG_STREAMS``)."""

from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

_FEEDS: Final = ("/v1/events", "/v1/fleet/events")
_PAGES: Final = frozenset(_FEEDS)
_STREAMS: Final = frozenset((*(f"{feed}/stream" for feed in _FEEDS), "/console/live/stream"))


def lasts(scope: Scope) -> bool:
    """Whether a request may wait for news. A page counts as soon as it names ``wait``, however it spells it."""
    if scope["path"] in _STREAMS:
        return True
    return scope["path"] in _PAGES and b"wait" in unquote_to_bytes(scope["query_string"])
