"""What clinics and agents are called: the one place where a name leaves assistant-api's database (ADR 65).

topic    display-names.v1, compacted; the newest record of a key counts, one without a value says that there is no more
key      the clinic's id, or `<clinic's id>/<agent's id>`
headers  as in :mod:`zerotouch_contracts.envelope`; one without a value has the same, but for its content type

A name may be a person's. Whoever keeps it drops it when its key is without a value.
"""

from dataclasses import dataclass
from typing import ClassVar, Final, Unpack
from uuid import UUID

from pydantic import TypeAdapter

from zerotouch_contracts.compacted import CompactedRecord, Stamp, compacted_record, read_compacted
from zerotouch_contracts.envelope import Headers, UndecodableRecord
from zerotouch_contracts.events import Message, Name, Revision
from zerotouch_contracts.text import Identifier
from zerotouch_contracts.topics import DISPLAY_NAMES

_AGENT_ID: Final[TypeAdapter[str]] = TypeAdapter(Identifier)


class DisplayName(Message):
    """What a clinic is called, or an agent of it. ``revision`` rises with each change, and over a deletion, too."""

    TYPE: ClassVar[str] = "zerotouch.DisplayName.v1"
    agent_id: Identifier | None = None
    """Null: the clinic itself."""
    name: Name
    revision: Revision


@dataclass(frozen=True, slots=True)
class Named:
    """Whose name a record is about; ``agent_id`` None: the clinic itself."""

    org_id: UUID
    agent_id: str | None

    @property
    def key(self) -> bytes:
        """The key of its records."""
        return (str(self.org_id) if self.agent_id is None else f"{self.org_id}/{self.agent_id}").encode()


@dataclass(frozen=True, slots=True)
class NameSaid:
    """What a record says. ``message`` None: whoever it is about is called nothing any more."""

    named: Named
    message: DisplayName | None
    log_id: UUID


def name_record(named: Named, message: DisplayName | None, **stamp: Unpack[Stamp]) -> CompactedRecord:
    """The record that says ``message`` of whom it is about, or without one that there is nobody to be named."""
    return compacted_record(DISPLAY_NAMES, named.key, named.org_id, DisplayName, message, **stamp)


def named_by(key: bytes | None) -> Named:
    """Whose names a key's records are about. Raises `UndecodableRecord` for one that is not spelt as we write it."""
    try:
        org, slash, agent = (key or b"").decode().partition("/")
        named = Named(UUID(org), _AGENT_ID.validate_python(agent) if slash else None)
    except ValueError:  # ValidationError and UnicodeDecodeError are some
        raise UndecodableRecord("the key is not that of a name") from None
    if named.key != key:
        raise UndecodableRecord("the key is not that of a name")
    return named


def read_name(key: bytes | None, value: bytes | None, headers: Headers) -> NameSaid:
    """What a record of the topic says.

    Raises :class:`~zerotouch_contracts.envelope.UndecodableRecord` for everything else, which may be passed over and
    must be kept nowhere: it may hold a name.
    """
    named = named_by(key)

    def is_about(body: DisplayName) -> bool:
        return Named(body.org_id, body.agent_id) == named

    message, log_id = read_compacted(DisplayName, named.org_id, is_about, value, headers)
    return NameSaid(named, message, log_id)
