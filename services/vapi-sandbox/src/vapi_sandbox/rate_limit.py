"""The API's rate limit: requests per Vapi org in a tumbling window that starts with each UTC minute.

There is no header that names the next window; `Retry-After` comes only where the dial asks for it.
"""

from __future__ import annotations

from collections import Counter

from vapi_sandbox.answers import Reply, failure


class MinuteWindows:
    """Counts requests per (Vapi org, minute since 1970), refused ones included."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int]] = Counter()

    def take(self, vapi_org: str, now_seconds: float, limit: int | None) -> bool:
        """Count one request; False where the org is over its limit for this minute."""
        window = (vapi_org, int(now_seconds // 60))
        self._counts[window] += 1
        return limit is None or self._counts[window] <= limit

    def busiest(self) -> dict[str, int]:
        """Return for each Vapi org the requests of its busiest minute."""
        busiest: dict[str, int] = {}
        for (vapi_org, _), count in self._counts.items():
            busiest[vapi_org] = max(count, busiest.get(vapi_org, 0))
        return busiest

    def clear(self) -> None:
        """Forget every window."""
        self._counts.clear()


def too_many(now_seconds: float, with_retry_after: bool) -> Reply:
    """Answer 429; with `Retry-After` the seconds are those to the next window, at least 1."""
    seconds = max(1, int(60 - now_seconds % 60 + 0.999))
    headers = ((b"retry-after", str(seconds).encode()),) if with_retry_after else ()
    return failure(429, "Rate limit exceeded", headers)
