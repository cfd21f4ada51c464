"""Which versions of a tool are published: said by tool-sync, so that assistant-api knows what it describes and answers.

topic    tool-sync.blueprint.v1, compacted; one record a tool, its newest counts
key      the tool's name
headers  as in :mod:`zerotouch_contracts.envelope`, but for the org's: a tool belongs to none

A record says all of a tool, as of a position of tool-sync's log, so a reader needs no other one. Records may come again
and late: :func:`place_after` says which of two is newer. Nothing is ever taken back by a record without a value: a
version that was published stays published, and such a record could not say how old it is.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from zerotouch_contracts.envelope import (
    SOURCE_TOOL_SYNC,
    VALUE_BYTES_MAX,
    Headers,
    Record,
    body_of,
    event_headers,
    refusing,
    text_headers,
)
from zerotouch_contracts.events import SEQUENCE_MAX, Tier, ToolName
from zerotouch_contracts.text import Sha256Hex, Storable, require_storable
from zerotouch_contracts.topics import BLUEPRINT

VERSIONS_MAX: Final = 50
"""Of one record: those that clinics may have, then the newest."""
DESCRIPTION_CHARACTERS_MAX: Final = 1000
NOTE_CHARACTERS_MAX: Final = 1000
DEPTH_MAX: Final = 32
"""Of a schema's JSON: a property is nested five deep at most, and takes several levels each time."""


def _require_plain(value: Any, depth: int = 0) -> Any:
    """Refuse what JSON may hold and a database does not: a reader keeps what it reads."""
    if depth > DEPTH_MAX:
        raise ValueError(f"must not be nested more than {DEPTH_MAX} deep")
    if isinstance(value, str):
        require_storable(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must hold numbers that are finite")
    elif isinstance(value, dict | list):
        for inner in [*value, *value.values()] if isinstance(value, dict) else value:
            _require_plain(inner, depth + 1)
    return value


Number = Annotated[int, Field(ge=1, le=10**9)]
Plain = AfterValidator(_require_plain)


class PublishedVersion(BaseModel):
    """One version, as a reader needs it; the whole document stays in tool-sync.

    ``contract`` 0: another service answers it. ``asynchronous``: the model does not wait, and never hears the answer.
    ``parameters`` is the JSON Schema of the arguments; null where it did not fit. ``ordered``: an order that stands may
    give it to some clinic. ``held``: some clinic had it a few minutes ago, or has it. ``withdrawn``: it cannot be
    ordered any more.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    version: Number
    definition_hash: Sha256Hex
    contract: Annotated[int, Field(ge=0, le=10**9)]
    tier: Tier
    asynchronous: bool
    description: Annotated[str, StringConstraints(max_length=DESCRIPTION_CHARACTERS_MAX), Storable]
    parameters: Annotated[dict[str, Any] | None, Plain]
    ordered: bool
    held: bool = False
    withdrawn: bool = False
    note: Annotated[str, StringConstraints(max_length=NOTE_CHARACTERS_MAX), Storable] = ""


class ToolPublished(BaseModel):
    """What is published of a tool, as of ``position`` of tool-sync's log; versions by number, the lowest first.

    ``omitted``: how many older versions that no clinic can have by an order are left out.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    TYPE: ClassVar[str] = "zerotouch.ToolPublished.v1"
    tool: ToolName
    position: Annotated[int, Field(ge=1, le=SEQUENCE_MAX)]
    halted: bool
    versions: Annotated[tuple[PublishedVersion, ...], Field(min_length=1, max_length=VERSIONS_MAX)]
    omitted: Annotated[int, Field(ge=0)] = 0

    @property
    def by_version(self) -> Mapping[int, PublishedVersion]:
        """The versions by number."""
        return {one.version: one for one in self.versions}

    def says_as(self, other: "ToolPublished") -> bool:
        """Whether both say the same of the tool, as of whatever position."""
        return self == other.model_copy(update={"position": self.position})


@dataclass(frozen=True, slots=True)
class Told:
    """A record of the topic: what it says, in which log, and when it was said by the log's database."""

    message: ToolPublished
    log_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class BlueprintPlace:
    """How far a reader has followed a tool. ``former``: logs that it has left for a newer one."""

    log_id: UUID
    position: int
    at: datetime
    former: frozenset[UUID] = frozenset()


def place_after(place: BlueprintPlace | None, told: Told) -> BlueprintPlace | None:
    """Where a reader is once it has taken in ``told``; None where that is older than what it has.

    Within a log the higher position is newer, and of one position what was said later. After a restore of tool-sync's
    database another log goes on, whose positions may be lower: it is newer where it was not followed before and spoke
    later.
    """
    position = told.message.position
    if place is None:
        return BlueprintPlace(told.log_id, position, told.at)
    if told.log_id == place.log_id:
        if (position, told.at) < (place.position, place.at):
            return None
        return BlueprintPlace(place.log_id, position, told.at, place.former)
    if told.log_id in place.former or told.at <= place.at:
        return None
    return BlueprintPlace(told.log_id, position, told.at, place.former | {place.log_id})


def published_record(message: ToolPublished, *, id: UUID, log_id: UUID, at: datetime) -> Record:  # noqa: A002
    """The record of a message. The caller sees to it that it is not above ``VALUE_BYTES_MAX``."""
    value = message.model_dump_json().encode()
    assert len(value) <= VALUE_BYTES_MAX, f"{message.tool}: {len(value)} bytes"
    headers = event_headers(id, message.TYPE, SOURCE_TOOL_SYNC, at, ("log_id", str(log_id)))
    return Record(BLUEPRINT.name, message.tool.encode(), value, headers)


def read_published(key: bytes | None, value: bytes | None, headers: Headers) -> Told:
    """What a record of the topic says.

    Raises :class:`~zerotouch_contracts.envelope.UndecodableRecord` for everything else, which may be passed over: what
    was known of the tool stays.
    """
    fields = text_headers(headers)
    refuse = refusing(fields)
    message = body_of({ToolPublished.TYPE: ToolPublished}, fields, value, refuse)
    if key != message.tool.encode():
        raise refuse("the key is not the tool of the body")
    try:
        log_id, at = UUID(fields.get("log_id", "")), datetime.fromisoformat(fields["ce_time"])
    except ValueError:
        raise refuse("header log_id is no UUID, or ce_time no RFC 3339 time") from None
    return Told(message, log_id, at if at.tzinfo else at.replace(tzinfo=UTC))
