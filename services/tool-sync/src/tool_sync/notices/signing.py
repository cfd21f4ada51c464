"""The headers of Standard Webhooks 1.0.0 (spec/standard-webhooks.md, read 2026-11-30), and how secrets are kept.

To sign is an HMAC over three texts; the package `standardwebhooks` is for those who receive, and adds a dependency to
each image. Tests hold this to the specification's own example.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from zerotouch_platform.sealing import SealingKey

SECRET_BYTES: Final = 32
_PREFIX: Final = "whsec_"
_PURPOSE: Final = b"zerotouch notices "


def new_secret() -> str:
    """A secret as it is shown, once."""
    return _PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def signed_headers(message_id: str, at: datetime, body: bytes, secrets: Iterable[str]) -> Mapping[str, str]:
    """The three headers. With two secrets there are two signatures, either of which a receiver may know."""
    timestamp = str(int(at.timestamp()))
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    signatures = (hmac.digest(_key(secret), content, hashlib.sha256) for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(one).decode()}" for one in signatures),
    }


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX))


class SecretBox:
    """Seals secrets with ``key`` (32 bytes), each for one clinic: a row that is copied to another opens nothing."""

    def __init__(self, key: bytes) -> None:
        self._key = SealingKey(key)

    def seal(self, org_id: UUID, secret: str) -> str:
        """As it is stored."""
        return base64.b64encode(self._key.seal(secret, _PURPOSE + org_id.bytes)).decode()

    def open(self, org_id: UUID, sealed: str) -> str | None:
        """The secret; None where it was sealed with another key, or for another clinic."""
        try:
            return self._key.open(base64.b64decode(sealed, validate=True), _PURPOSE + org_id.bytes)
        except ValueError:
            return None
