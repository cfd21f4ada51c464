"""Which clinics have an account of their own at Vapi, and its sealed key (ADR 76). assistant-api says it.

topic    vapi-accounts.v1, compacted; the newest record of a key counts, one without a value says that the clinic has
         none, or none any more: it is served with the platform's
key      the clinic's id
headers  as in :mod:`zerotouch_contracts.envelope`; one without a value has the same, but for its content type

The key of an account travels sealed alone (`zerotouch_platform/vapi/envelope.py`). Whoever keeps a sealed key drops it
when its clinic's record comes without a value.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Unpack
from uuid import UUID

from pydantic import Field, StringConstraints

from zerotouch_contracts.compacted import CompactedRecord, Stamp, compacted_record, read_compacted
from zerotouch_contracts.envelope import Headers, UndecodableRecord
from zerotouch_contracts.events import Message, Revision
from zerotouch_contracts.text import Identifier
from zerotouch_contracts.topics import VAPI_ACCOUNTS

SEALED_KEY_CHARACTERS_MAX = 1024
REQUESTS_PER_MINUTE_MAX = 1_000_000

SealedKey = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=SEALED_KEY_CHARACTERS_MAX, pattern=r"^[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]+={0,2}$"
    ),
]
"""`<id of the envelope key>.<base64url>`."""
KeyFingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
RequestsPerMinute = Annotated[int, Field(ge=1, le=REQUESTS_PER_MINUTE_MAX)]


class VapiAccount(Message):
    """A clinic's own account at Vapi. ``revision`` rises with each change, and over a deletion, too."""

    TYPE: ClassVar[str] = "zerotouch.VapiAccount.v1"
    account: Identifier
    """`vapi-<Vapi's orgId>`. Several clinics may have the same."""
    sealed_key: SealedKey = Field(repr=False)
    key_fingerprint: KeyFingerprint
    """What both services call the key in rows; nobody learns the key from it."""
    tool_server_credential_id: Identifier | None = None
    """The account's credential with which Vapi signs calls of tools. None: they are not signed."""
    requests_per_minute: RequestsPerMinute | None = None
    """What Vapi allows the key. None: Vapi's own 429 is the limit."""
    revision: Revision


@dataclass(frozen=True, slots=True)
class AccountSaid:
    """What a record says. ``message`` None: the clinic has no account of its own any more."""

    org_id: UUID
    message: VapiAccount | None
    log_id: UUID


def account_record(org_id: UUID, message: VapiAccount | None, **stamp: Unpack[Stamp]) -> CompactedRecord:
    """The record that says which account a clinic has, or without a message that it has none of its own."""
    return compacted_record(VAPI_ACCOUNTS, str(org_id).encode(), org_id, VapiAccount, message, **stamp)


def clinic_of(key: bytes | None) -> UUID:
    """Whose account a key's records are about. Raises `UndecodableRecord` for one that is not spelt as we write it."""
    try:
        org_id = UUID((key or b"").decode())
    except ValueError:  # UnicodeDecodeError is one
        raise UndecodableRecord("the key is not that of a clinic") from None
    if str(org_id).encode() != key:
        raise UndecodableRecord("the key is not that of a clinic")
    return org_id


def read_account(key: bytes | None, value: bytes | None, headers: Headers) -> AccountSaid:
    """What a record of the topic says. Raises :class:`~zerotouch_contracts.envelope.UndecodableRecord`."""
    org_id = clinic_of(key)
    message, log_id = read_compacted(VapiAccount, org_id, lambda body: body.org_id == org_id, value, headers)
    return AccountSaid(org_id, message, log_id)
