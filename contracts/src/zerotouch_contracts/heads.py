"""Where tool-sync's event log stood, signed: so that whoever owns its table cannot change it unseen.

topic    tool-sync.heads.v1, never compacted; at most one record a minute, and none while the log stands still
key      the log's id
headers  as in :mod:`zerotouch_contracts.envelope`, but for the org's: a log belongs to none

The hash of a position covers every event up to it (tool-sync's ADR 60). Heads are a chain as well: each names the one
before it by its digest. A record may come again, and two may follow the same one, where two processes signed for a
moment; both say what was so. What is signed are :func:`signed_bytes`, by Ed25519 (RFC 8032).
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, ClassVar, Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from zerotouch_contracts.envelope import (
    SOURCE_TOOL_SYNC,
    Headers,
    Record,
    body_of,
    event_headers,
    refusing,
    text_headers,
)
from zerotouch_contracts.events import SEQUENCE_MAX, KeyId
from zerotouch_contracts.text import Sha256Hex
from zerotouch_contracts.topics import HEADS

KINDS_MAX: Final = 20
"""Of streams: org, toolset, blueprint and rollout in this release."""
UNSIGNED: Final = "0" * 128

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_HEAD: Final = "-"

Signature = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]
StreamKind = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,32}$")]
Count = Annotated[int, Field(ge=0, le=SEQUENCE_MAX)]


class LogHead(BaseModel):
    """The log ended at ``position``, with ``hash``, when the head was signed.

    ``form``: of the hash, as the log's table describes it. ``recorded_at``: of the event at that position, by the
    database's clock; ``signed_at``: by the signer's. ``counts``: of the events up to there, by the kind of their stream
    (what stands before its first hyphen); together they are the position, as positions have no holes. ``previous``: the
    digest of the head before this one; null where the signer knew of none. ``key_id``: the first 16 hex digits of the
    SHA-256 of the 32 bytes of the public key.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    TYPE: ClassVar[str] = "zerotouch.LogHead.v1"
    log_id: UUID
    position: Annotated[int, Field(ge=1, le=SEQUENCE_MAX)]
    hash: Sha256Hex
    form: Annotated[int, Field(ge=1, le=1000)]
    recorded_at: AwareDatetime
    counts: Annotated[dict[StreamKind, Count], Field(max_length=KINDS_MAX)]
    signed_at: AwareDatetime
    previous: Sha256Hex | None
    key_id: KeyId
    signature: Signature


def signed_bytes(head: LogHead) -> bytes:
    """What the signature is of: ten lines of ASCII, each ended by a line feed.

    ``zerotouch-log-head-1``; log_id in lower case with hyphens; position; hash; form; recorded_at; counts as
    ``kind=count`` in the order of the kinds with a comma between; signed_at; previous, or ``-`` where it is null;
    key_id. Numbers are decimal; times are whole microseconds since 1970-01-01 UTC.
    """
    lines = (
        "zerotouch-log-head-1",
        str(head.log_id),
        str(head.position),
        head.hash,
        str(head.form),
        _micros(head.recorded_at),
        ",".join(f"{kind}={count}" for kind, count in sorted(head.counts.items())),
        _micros(head.signed_at),
        head.previous or _NO_HEAD,
        head.key_id,
    )
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def digest_of(head: LogHead) -> str:
    """What the next head names it by: SHA-256 of :func:`signed_bytes`, 64 lower-case hex digits."""
    return sha256(signed_bytes(head)).hexdigest()


def key_id_of(public_key: bytes) -> str:
    """The id of a public key, of which these are the 32 bytes."""
    return sha256(public_key).hexdigest()[:16]


def head_record(head: LogHead) -> Record:
    """The record of a head. The same head has the same id, however often it is sent."""
    head_id, log_id = UUID(digest_of(head)[:32]), str(head.log_id)
    headers = event_headers(head_id, head.TYPE, SOURCE_TOOL_SYNC, head.signed_at, ("log_id", log_id))
    return Record(HEADS.name, log_id.encode(), head.model_dump_json().encode(), headers)


def read_head(key: bytes | None, value: bytes | None, headers: Headers) -> LogHead:
    """What a record of the topic says; whether its signature is right is not looked at.

    Raises :class:`~zerotouch_contracts.envelope.UndecodableRecord` for everything else, which may be passed over.
    """
    fields = text_headers(headers)
    refuse = refusing(fields)
    head = body_of({LogHead.TYPE: LogHead}, fields, value, refuse)
    if key != str(head.log_id).encode():
        raise refuse("the key is not the log of the body")
    return head


def _micros(at: datetime) -> str:
    return str((at - _EPOCH) // timedelta(microseconds=1))
