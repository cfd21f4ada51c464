"""An assistant whose creation was never answered, found again by its `metadata`."""

from collections.abc import Iterable, Mapping, Sequence
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
    found = await made_about(vapi, mark, age_seconds=age_seconds, before_minutes=window_minutes, now=now)
    return found if isinstance(found, Later) else oldest(found)


async def made_about(
    vapi: VapiClient,
    mark: Mark,
    *,
    age_seconds: float,
    before_minutes: int,
    after_seconds: float | None = None,
    save: bool = True,
    now: datetime | None = None,
) -> Sequence[Mapping[str, Any]] | Later:
    """All assistants with this mark that were made around an attempt, ``age_seconds`` ago.

    From ``before_minutes`` before it to ``after_seconds`` after it (until now, where that is not given).
    """
    now = now or datetime.now(UTC)
    attempt_at = now - timedelta(seconds=age_seconds)
    end = now if after_seconds is None else min(now, attempt_at + timedelta(seconds=after_seconds))
    found = await vapi.created_between(attempt_at - timedelta(minutes=before_minutes), end + CLOCK_SKEW, save=save)
    return found if isinstance(found, Later) else [item for item in found if mark.fits(item)]


def oldest(assistants: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The one that was made first; the smaller id where two were made in the same millisecond."""
    return min(assistants, key=lambda item: (str(item.get("createdAt")), str(item.get("id"))), default=None)
