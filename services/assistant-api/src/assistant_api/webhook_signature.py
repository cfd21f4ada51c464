"""How Vapi signs a request: the fields of its HMAC credential, in its own words, and the check of a signature. Pure.

Vapi's OpenAPI document (`HMACAuthenticationPlan`, read 2026-11-28) has the names and the defaults, so that who sets up
the receiver copies what was filled in at Vapi. With a timestamp in what is signed, an old request is none of Vapi's.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

CLOCK_DIFFERENCE_SECONDS_MAX: Final = 300
_MILLISECONDS_FROM: Final = 10**11
_TIMESTAMP_CHARACTERS_MAX: Final = 15
_PLACEHOLDER: Final = re.compile(r"\{(timestamp|body|method|url|svix-id)\}")

Header = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$", to_lower=True)]


class HmacFormat(BaseModel):
    """What a signature covers, how it is written, and in which headers it comes."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, hide_input_in_errors=True
    )

    algorithm: Literal["sha256", "sha512", "sha1"] = "sha256"
    signature_header: Header = "x-signature"
    timestamp_header: Header = "x-timestamp"
    message_id_header: Header = "svix-id"
    signature_prefix: Annotated[str, StringConstraints(max_length=32)] = ""
    include_timestamp: bool = True
    payload_format: Annotated[str, StringConstraints(max_length=200)] | None = None
    signature_encoding: Literal["hex", "base64"] = "hex"
    secret_is_base64: bool = Field(default=False, alias="secretIsBase64")
    url: str | None = None
    """What `{url}` stands for: our address as Vapi has it. Proxies change what arrives here."""

    @property
    def payload(self) -> str:
        """The format of what is signed."""
        return self.payload_format or ("{timestamp}.{body}" if self.include_timestamp else "{body}")

    @property
    def has_timestamp(self) -> bool:
        """Whether a signature says when it was made."""
        return "{timestamp}" in self.payload

    @model_validator(mode="after")
    def _covers_the_body(self) -> "HmacFormat":
        if "{body}" not in self.payload:
            raise ValueError("payloadFormat must have {body}: otherwise any body would be accepted")
        if self.has_timestamp and not self.include_timestamp:
            raise ValueError("payloadFormat has {timestamp} and includeTimestamp is false")
        if "{url}" in self.payload and self.url is None:
            raise ValueError("url is missing: payloadFormat has {url}, which is the address that Vapi calls")
        return self

    def secret(self, key: bytes) -> bytes:
        """The bytes to sign with, of a key as it was filled in. ``ValueError`` where it is not in base64."""
        if not self.secret_is_base64:
            return key
        try:
            return base64.b64decode(key, validate=True)
        except binascii.Error:
            raise ValueError("must be in base64, as secretIsBase64 says") from None


def is_signed(
    form: HmacFormat, secrets: Iterable[bytes], headers: Mapping[str, str], raw: bytes, *, now: datetime
) -> bool:
    """Whether ``raw`` was signed with one of the secrets and, where that can be told, not long ago."""
    timestamp = headers.get(form.timestamp_header, "")
    if form.has_timestamp and not _is_recent(timestamp, now):
        return False
    given = as_bytes(headers.get(form.signature_header, "").strip())
    payload = _payload(form, headers, raw, timestamp)
    # No early end: the time it takes says nothing about which secret, or how much of a signature, was right.
    matches = [_matches(form, secret, payload, given) for secret in secrets]
    return any(matches)


def as_bytes(header: str) -> bytes:
    """A header as bytes: compare_digest refuses text that is not ASCII."""
    return header.encode("utf-8", "surrogateescape")


def _matches(form: HmacFormat, secret: bytes, payload: bytes, given: bytes) -> bool:
    digest = hmac.new(secret, payload, form.algorithm).digest()
    prefix = form.signature_prefix.encode()
    if form.signature_encoding == "base64":
        return hmac.compare_digest(given, prefix + base64.b64encode(digest))
    return hmac.compare_digest(given.lower(), prefix.lower() + digest.hex().encode())


def _payload(form: HmacFormat, headers: Mapping[str, str], raw: bytes, timestamp: str) -> bytes:
    """What is signed. A placeholder inside the body stays text: the pieces are put together once."""
    values = {
        "timestamp": timestamp.encode(),
        "body": raw,
        "method": b"POST",
        "url": (form.url or "").encode(),
        "svix-id": as_bytes(headers.get(form.message_id_header, "")),
    }
    pieces = _PLACEHOLDER.split(form.payload)
    return b"".join(values[piece] if place % 2 else piece.encode() for place, piece in enumerate(pieces))


def _is_recent(timestamp: str, now: datetime) -> bool:
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= _TIMESTAMP_CHARACTERS_MAX):
        return False
    seconds = int(timestamp) / 1000 if int(timestamp) >= _MILLISECONDS_FROM else int(timestamp)
    return abs(now.timestamp() - seconds) <= CLOCK_DIFFERENCE_SECONDS_MAX
