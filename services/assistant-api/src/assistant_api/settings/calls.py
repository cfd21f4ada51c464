"""Vapi's tool calls, what patients book by them, and how long that is kept."""

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from assistant_api.limits import WEBHOOK_BYTES_MAX
from assistant_api.settings.types import Count, Part, Seconds, SecretKeys, hmac_format
from assistant_api.webhook_signature import Header, HmacFormat
from zerotouch_contracts.topics import ERASURES_KEEP_DAYS

ACCESS_KEEP_DAYS_MIN = 90
"""What the table's trigger has, too."""


class CallSettings(Part):
    """Callers and patients."""

    vapi_webhook_tokens: SecretKeys | None = None
    """Bearer tokens that Vapi sends with tool calls, separated by commas; two while they are changed."""
    vapi_webhook_secrets: SecretKeys | None = None
    """Secrets that Vapi sends as they are in a header of their own, likewise; so did its older set-ups."""
    vapi_webhook_secret_header: Header = "x-vapi-secret"  # noqa: S105 - its name
    """The header of those secrets."""
    vapi_webhook_hmac_keys: SecretKeys | None = None
    """Keys that Vapi signs tool calls with, likewise. With none of the three, tool calls are answered 401."""
    vapi_webhook_hmac: Annotated[HmacFormat, NoDecode, BeforeValidator(hmac_format)] = HmacFormat()
    """How it signs them: JSON with the fields of Vapi's HMAC credential, where they differ from Vapi's defaults."""
    webhook_bytes_max: Count = WEBHOOK_BYTES_MAX
    """Of a tool call's body."""
    booking_days_ahead_max: Annotated[int, Field(ge=1, le=3660)] = 365
    """How far ahead an appointment may be."""
    appointment_retention_days: Count = 365
    """Days after an appointment until it is forgotten."""
    access_keep_days: Annotated[int, Field(ge=ACCESS_KEEP_DAYS_MIN, le=36_500)] = 1095
    """Of the access log: three years, within which claims are usually made. Younger rows the database keeps anyway."""
    erasures_keep_days: Annotated[int, Field(ge=1, le=ERASURES_KEEP_DAYS)] = ERASURES_KEEP_DAYS
    """Of the receipts of erasures: at most as long as `erasures.v1` has them. No backup may be older."""
    erasures_look_seconds: Seconds = 900
    """Between looks whether `erasures.v1` has one that the database lacks: it may have been set back."""
    access_refused_rows_per_minute: Count = 60
    """Refusals of one principal that become rows, in each process; all are counted."""
