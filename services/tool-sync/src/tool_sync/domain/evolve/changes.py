"""The fields that an event changes, typed: a misspelt or mistyped one fails mypy, as `replace` does not see a dict."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict, TypeVar
from uuid import UUID

from tool_sync.domain.events import ToolDriftSeen, ToolRef
from tool_sync.domain.toolset import (
    GIVERS_MAX,
    Attempt,
    Failure,
    Followed,
    Request,
    Retired,
    Surplus,
    Toolset,
    UnconfirmedCreation,
)

K = TypeVar("K")
V = TypeVar("V")


class Changes(TypedDict, total=False):
    """Fields of :class:`~tool_sync.domain.toolset.Toolset`; ``position`` and ``version`` follow from the place alone.

    A dict rather than a second state: an event is folded twice for every one that is written, and one `replace` more
    each time would cost as much as the fold.
    """

    sequence: int
    tier: str
    closed: bool
    tools: Mapping[str, ToolRef]
    attempts: Mapping[UUID, Attempt]
    open_requests: Mapping[str, tuple[Request, ...]]
    org_wide_through: int | None
    org_wide_cause: str | None
    failures: Mapping[str, Failure]
    looks: Mapping[str, datetime]
    disabled: frozenset[str]
    retired: Mapping[str, Retired]
    surplus: Mapping[str, Surplus]
    gone: tuple[str, ...]
    suspects: Mapping[str, UnconfirmedCreation]
    swept_at: datetime | None
    versions: Mapping[str, Mapping[str, int]]
    drifted: Mapping[str, ToolDriftSeen]
    follows: Mapping[str, Followed]
    given_by: Mapping[str, tuple[str, ...]]


def with_entry(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    """The mapping with one more entry, or another value."""
    return {**mapping, key: value}


def following(state: Toolset, name: str, order: str | None, fleet_position: int | None) -> Mapping[str, Followed]:
    """The orders that are followed, after a write for this one was announced; as before where it was for none."""
    return state.follows if order is None else with_entry(state.follows, name, Followed(order, fleet_position or 0))


def given_by(state: Toolset, name: str, order: str | None) -> Mapping[str, tuple[str, ...]]:
    """The orders that gave what the org has, after a write for this one; as before where it was for none."""
    if order is None:
        return state.given_by
    before = tuple(one for one in state.given_by.get(name, ()) if one != order)
    return with_entry(state.given_by, name, (*before, order)[-GIVERS_MAX:])


def without(mapping: Mapping[K, V], key: K) -> Mapping[K, V]:
    """The mapping without an entry; itself where there is none, which is the most frequent case."""
    if key not in mapping:
        return mapping
    return {k: v for k, v in mapping.items() if k != key}
