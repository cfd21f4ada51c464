"""Is it Vapi? A bearer token, a secret in a header, or an HMAC of the raw body; each only where it is configured.

Of each several may be valid, while keys are changed. Vapi's documentation (server authentication, 2026-08-20) has all
three: `Authorization: Bearer …`, `X-Vapi-Secret: …` of older set-ups, and the signature: see `webhook_signature`.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime

from pydantic import SecretStr

from assistant_api.problem import Problem
from assistant_api.settings import Settings
from assistant_api.webhook_signature import as_bytes, is_signed
from zerotouch_contracts.errors import ErrorCode


class WebhookCredentials:
    """The credentials of the settings. Without any, nobody is let in."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = _keys(settings.vapi_webhook_tokens)
        self._secrets = _keys(settings.vapi_webhook_secrets)
        self._secret_header = settings.vapi_webhook_secret_header
        self._format = settings.vapi_webhook_hmac
        self._hmac_secrets = tuple(self._format.secret(key) for key in _keys(settings.vapi_webhook_hmac_keys))

    def require_before_body(self, headers: Mapping[str, str]) -> None:
        """Raise a 401 problem for who has neither token nor secret nor anything that could be a signature."""
        if not self._has_token(headers) and not (self._hmac_secrets and headers.get(self._format.signature_header)):
            raise _refused()

    def require(self, headers: Mapping[str, str], raw: bytes, *, now: datetime) -> None:
        """Raise a 401 problem, which does not say what was wrong, unless one of the credentials is right."""
        if not self._has_token(headers) and not is_signed(self._format, self._hmac_secrets, headers, raw, now=now):
            raise _refused()

    def _has_token(self, headers: Mapping[str, str]) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        by_bearer = _is_one_of(token.strip(), self._tokens)
        by_secret = _is_one_of(headers.get(self._secret_header, "").strip(), self._secrets)
        return (scheme.lower() == "bearer" and by_bearer) or by_secret


def _is_one_of(given: str, known: tuple[bytes, ...]) -> bool:
    # No early end: the time it takes says nothing about which one, or how much of it, was right.
    matches = [hmac.compare_digest(as_bytes(given), one) for one in known]
    return any(matches)


def _keys(setting: SecretStr | None) -> tuple[bytes, ...]:
    given = setting.get_secret_value() if setting is not None else ""
    return tuple(key.strip().encode() for key in given.split(",") if key.strip())


def _refused() -> Problem:
    return Problem(401, ErrorCode.UNAUTHENTICATED, "the credential is missing, wrong or too old")
