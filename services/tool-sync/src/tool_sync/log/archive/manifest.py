"""``manifest.json``: of which log an archive is, and its segments in order. What it does not name is no part of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tool_sync.log.archive.errors import ArchiveDamaged, ArchiveUnavailable
from tool_sync.log.archive.hashes import Link, micros_of

FORM: Final = 1
"""Of the manifest and the columns; another number is another release's."""

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Position = Annotated[int, Field(ge=1, le=2**63 - 1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ArchiveSegment(_Part):
    """One file. ``since`` and ``until`` are the times of its first and last event; ``sha256`` is of its ``bytes``."""

    file: str
    first_position: Position
    last_position: Position
    events: Position
    first_hash: Hash
    last_hash: Hash
    since: datetime
    until: datetime
    bytes: Position
    sha256: Hash
    written_at: datetime
    release: str

    @property
    def end(self) -> Link:
        """What the first event of the next segment follows."""
        return Link(self.last_position, bytes.fromhex(self.last_hash), micros_of(self.until))


class ArchiveManifest(_Part):
    """Hashes have form 2 from ``form_2_from`` on, whose first follows ``form_2_origin``, in hexadecimal (ADR 60)."""

    form: Literal[1] = 1
    installation_id: UUID | None
    log_id: UUID
    forked_from: UUID | None
    forked_at: datetime | None
    form_2_from: Position
    form_2_origin: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]
    segments: tuple[ArchiveSegment, ...] = ()

    @property
    def last_position(self) -> int:
        """Where the archive ends; 0 for an empty one."""
        return self.segments[-1].last_position if self.segments else 0

    def with_segments(self, more: Sequence[ArchiveSegment]) -> "ArchiveManifest":
        """The manifest once these are part of it."""
        return self.model_copy(update={"segments": (*self.segments, *more)})


class _AnyForm(BaseModel):
    form: int


def manifest_of(text: str, place: object) -> ArchiveManifest:
    """Raises `ArchiveDamaged`, and `ArchiveUnavailable` for what a newer release wrote."""
    try:
        if (form := _AnyForm.model_validate_json(text).form) > FORM:
            raise ArchiveUnavailable(f"{place} has form {form}; this release reads form {FORM}, a newer one more")
        return ArchiveManifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole of it"
        raise ArchiveDamaged(f"{place} is not valid: {where}: {first['msg']}") from None
