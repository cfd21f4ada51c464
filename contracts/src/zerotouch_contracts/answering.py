"""What the processes of assistant-api answer: announced by each, and the reader's rule of which ones live (ADR 38).

topic    assistant-api.contracts.v1, compacted; the newest record of a key counts, one without a value says goodbye
key      the replica: one process, under an id that it makes at its start
headers  as in :mod:`zerotouch_contracts.envelope`, but for the org's and the log's: it is about neither
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from zerotouch_contracts.envelope import (
    SOURCE_ASSISTANT_API,
    Headers,
    Record,
    UndecodableRecord,
    body_of,
    event_headers,
    refusing,
    text_headers,
)
from zerotouch_contracts.events import ToolName
from zerotouch_contracts.tools import ANSWERED
from zerotouch_contracts.topics import CONTRACTS

ANNOUNCE_SECONDS: Final = 15.0
DEAD_AFTER: Final = timedelta(seconds=60)
"""A replica of which nothing newer was heard answers nobody any more: it was killed, or has lost its database."""
TOOLS_MAX: Final = 1000

Contract = Annotated[int, Field(ge=1, le=10**9)]


class AnsweredTool(BaseModel):
    """The contracts of one tool's name whose calls are answered."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    name: ToolName
    contracts: Annotated[tuple[Contract, ...], Field(min_length=1, max_length=TOOLS_MAX)]


class ContractsAnnounced(BaseModel):
    """A process of assistant-api answers calls of these tools, as of ``at`` by its database's clock."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    TYPE: ClassVar[str] = "zerotouch.ContractsAnnounced.v1"
    replica: UUID
    tools: Annotated[tuple[AnsweredTool, ...], Field(max_length=TOOLS_MAX)]
    at: AwareDatetime


def announcement(replica: UUID, at: datetime) -> ContractsAnnounced:
    """What this release answers."""
    contracts: dict[str, set[int]] = {}
    for definition in ANSWERED:
        contracts.setdefault(definition.name, set()).add(definition.contract)
    tools = tuple(AnsweredTool(name=name, contracts=tuple(sorted(found))) for name, found in sorted(contracts.items()))
    return ContractsAnnounced(replica=replica, tools=tools, at=at)


def answered_by_all(announced: Iterable[ContractsAnnounced], now: datetime) -> frozenset[tuple[str, int]]:
    """The (name, contract) pairs that every live replica answers: whichever gets a call answers it. Empty where none
    lives.

    ``announced`` is the newest announcement of each replica that has not said goodbye.
    """
    alive = [pairs_of(one) for one in announced if now - one.at < DEAD_AFTER]
    return frozenset.intersection(*alive) if alive else frozenset()


def pairs_of(announced: ContractsAnnounced) -> frozenset[tuple[str, int]]:
    """The (name, contract) pairs of one announcement."""
    return frozenset((tool.name, contract) for tool in announced.tools for contract in tool.contracts)


def announcement_record(message: ContractsAnnounced, *, id: UUID) -> Record:  # noqa: A002 - CloudEvents' own name
    """The record of an announcement."""
    headers = event_headers(id, message.TYPE, SOURCE_ASSISTANT_API, message.at)
    return Record(CONTRACTS.name, key_of(message.replica), message.model_dump_json().encode(), headers)


def key_of(replica: UUID) -> bytes:
    """The key of a replica's records. One without value and headers is its goodbye."""
    return str(replica).encode()


def read_announcement(key: bytes | None, value: bytes | None, headers: Headers) -> ContractsAnnounced | UUID:
    """What a record of the topic says: an announcement, or the replica that said goodbye.

    Raises :class:`~zerotouch_contracts.envelope.UndecodableRecord` for everything else, which may be passed over.
    """
    if value is None:
        try:
            return UUID((key or b"").decode())
        except ValueError:  # UnicodeDecodeError is one
            raise UndecodableRecord("the key is not a replica") from None
    fields = text_headers(headers)
    refuse = refusing(fields)
    message = body_of({ContractsAnnounced.TYPE: ContractsAnnounced}, fields, value, refuse)
    if key != key_of(message.replica):
        raise refuse("the key is not the replica of the body")
    return message
