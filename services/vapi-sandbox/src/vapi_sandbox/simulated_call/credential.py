"""How a webhook proves that it comes from us: a bearer token, or a signature over time and body.

The forms are the defaults of Vapi's custom credentials (API schema, read 2026-11).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import assert_never

SIGNATURE_HEADER = "x-signature"
TIMESTAMP_HEADER = "x-timestamp"


@dataclass(frozen=True, slots=True)
class BearerToken:
    """Send `Authorization: Bearer <token>`."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class HmacKey:
    """Send `x-timestamp`, and in `x-signature` the hexadecimal HMAC-SHA256 of `<timestamp>.<body>`."""

    secret: str = field(repr=False)


Credential = BearerToken | HmacKey


def proof(credential: Credential | None, timestamp: str, body: bytes) -> dict[str, str]:
    """Return the headers that authenticate one delivery; without a credential there are none."""
    match credential:
        case None:
            return {}
        case BearerToken(token):
            return {"authorization": f"Bearer {token}"}
        case HmacKey(secret):
            signed = f"{timestamp}.".encode() + body
            signature = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
            return {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature}
        case _:
            assert_never(credential)
