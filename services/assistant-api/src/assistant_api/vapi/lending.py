"""Gives up requests of the key's running minute to tool-sync's bulk work: what nobody needs here would be lost."""

import math
from typing import Final

from assistant_api.db import Connection
from assistant_api.settings import Settings
from assistant_api.vapi.key import share_of

_LEND: Final = "SELECT lend_requests_of($1, $2::bigint, $3, $4, $5)"


async def lend_requests(
    connection: Connection, settings: Settings, key: str, rate: int, minute: int, wanted: int
) -> int:
    """So many of ``wanted`` requests of a UTC minute, counted from 1970, are not made here any more.

    ``rate``: what Vapi allows the key. At least ``VAPI_RATE_KEPT_SHARE`` of it stays, and twice what the minute before
    needed.
    """
    share, kept = share_of(settings, rate), math.ceil(rate * settings.vapi_rate_kept_share)
    lent: int = await connection.fetchval(_LEND, key, minute, share, kept, wanted)
    return lent
