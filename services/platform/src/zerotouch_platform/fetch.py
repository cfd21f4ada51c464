"""Asking a server that a setting names, such as an identity provider: once, for so long, and for so much."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

ASK_SECONDS_MAX: Final = 5.0


class NotFetched(Exception):
    """There is no whole answer; the message says why, and nothing of what was answered."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was answered, whatever its status."""

    status: int
    body: bytes


async def fetch(
    url: str, *, bytes_max: int, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Fetched:
    """GET, or POST of a form. Raises :class:`NotFetched`.

    Redirects are not followed: who answers is said by the setting alone. Nothing is unpacked, so that what is short on
    the way is not long here.
    """
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS_MAX)
    sent = {"accept": "application/json", "accept-encoding": "identity", **(headers or {})}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
            session.request(
                "GET" if form is None else "POST", url, data=form, headers=sent, allow_redirects=False
            ) as answer,
        ):
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > bytes_max:
                    raise NotFetched(f"sends what is longer than {bytes_max:,} bytes")
            return Fetched(answer.status, bytes(body))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise NotFetched(f"does not answer: {type(error).__name__}") from None
