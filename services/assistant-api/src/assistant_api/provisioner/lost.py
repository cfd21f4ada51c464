"""An assistant whose creation was never answered, found again by its `metadata`."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from assistant_api.document import Mark
from assistant_api.vapi.answers import Later
from assistant_api.vapi.client import VapiClient

CLOCK_SKEW: Final = timedelta(minutes=10)
"""How far Vapi's clock may be ahead of ours."""


async def find_lost(
    vapi: VapiClient, mark: Mark, *, age_seconds: float, window_minutes: int, now: datetime | None = None
) -> Mapping[str, Any] | Later | None:
    """The oldest assistant with this mark that was made since ``window_minutes`` before the attempt, or None.

    ``age_seconds`` is how long ago the attempt was.
    """
    now = now or datetime.now(UTC)
    start = now - timedelta(seconds=age_seconds, minutes=window_minutes)
    found = await vapi.created_between(start, now + CLOCK_SKEW)
    return found if isinstance(found, Later) else oldest(item for item in found if mark.fits(item))


def oldest(assistants: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The one that was made first; the smaller id where two were made in the same millisecond."""
    return min(assistants, key=lambda item: (str(item.get("createdAt")), str(item.get("id"))), default=None)
