"""Is it Vapi? A bearer token, or an HMAC of the raw body; of either two may be valid while keys are changed.

What Vapi can be told to send was read in its documentation (server authentication, 2026-08-20): `x-signature` is the
hex SHA-256 HMAC of "{timestamp}.{body}", `x-timestamp` the time in seconds. Milliseconds are understood as well.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pydantic import SecretStr

from assistant_api.problems import Problem
from assistant_api.settings import Settings
from zerotouch_contracts.errors import ErrorCode

CLOCK_DIFFERENCE_SECONDS_MAX: Final = 300
_MILLISECONDS_FROM: Final = 10**11
_TIMESTAMP_CHARACTERS_MAX: Final = 15


class WebhookCredentials:
    """The credentials of the settings. Without any, nobody is let in."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = _keys(settings.vapi_webhook_tokens)
        self._hmac_keys = _keys(settings.vapi_webhook_hmac_keys)

    def require_bearer_or_signature(self, headers: Mapping[str, str]) -> None:
        """Raise a 401 problem for who has neither the token nor anything that could be a signature of the body."""
        if not self.has_bearer(headers) and not (self._hmac_keys and headers.get("x-signature")):
            raise _refused()

    def require(self, headers: Mapping[str, str], raw: bytes, *, now: datetime) -> None:
        """Raise a 401 problem, which does not say what was wrong, unless one of the credentials is right."""
        if not self.has_bearer(headers) and not self._is_signed(headers, raw, now):
            raise _refused()

    def has_bearer(self, headers: Mapping[str, str]) -> bool:
        """Whether the Authorization header has one of the tokens."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = _bytes(token.strip())
        # No early end, here and below: the time it takes says nothing about which one, or how much of it, was right.
        matches = [hmac.compare_digest(given, known) for known in self._tokens]
        return scheme.lower() == "bearer" and any(matches)

    def _is_signed(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> bool:
        timestamp = headers.get("x-timestamp", "")
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= _TIMESTAMP_CHARACTERS_MAX):
            return False
        seconds = int(timestamp) / 1000 if int(timestamp) >= _MILLISECONDS_FROM else int(timestamp)
        if abs(now.timestamp() - seconds) > CLOCK_DIFFERENCE_SECONDS_MAX:
            return False
        given = _bytes(headers.get("x-signature", "").strip().lower())
        payload = timestamp.encode() + b"." + raw
        signatures = [hmac.new(key, payload, hashlib.sha256).hexdigest().encode() for key in self._hmac_keys]
        return any([hmac.compare_digest(given, signature) for signature in signatures])  # noqa: C419 - see above


def _keys(setting: SecretStr | None) -> tuple[bytes, ...]:
    given = setting.get_secret_value() if setting is not None else ""
    return tuple(key.strip().encode() for key in given.split(",") if key.strip())


def _bytes(header: str) -> bytes:
    """A header as bytes: compare_digest refuses text that is not ASCII."""
    return header.encode("utf-8", "surrogateescape")


def _refused() -> Problem:
    return Problem(401, ErrorCode.UNAUTHENTICATED, "the credential is missing, wrong or too old")
