"""What is said of a tool on `tool-sync.blueprint.v1`: the record of a fleet, and of what clinics have.

A record must not grow with the history: versions that clinics may have come first, the newest of each kind before
others, as many as fit. Of a version that fits only without its schema, the schema is left out.
"""

from collections.abc import Collection, Iterator, Set
from typing import Any, Final

import structlog
from pydantic import ValidationError

from tool_sync.domain.fleet import Fleet, Version
from tool_sync.domain.fleet.giving import given_versions
from zerotouch_contracts.blueprint import (
    DESCRIPTION_CHARACTERS_MAX,
    NOTE_CHARACTERS_MAX,
    VERSIONS_MAX,
    PublishedVersion,
    ToolPublished,
)

VERSIONS_BYTES_MAX: Final = 200 * 1024
"""Of all versions of a record together; readers refuse a value above 256 KiB."""

log = structlog.get_logger(__name__)


def published_of(fleet: Fleet, name: str, held: Collection[int]) -> ToolPublished | None:
    """What is published of a tool as of the fleet's position; None where nothing of it can be said.

    ``held``: the versions that clinics have now, whatever is ordered.
    """
    of_tool = fleet.versions.get(name, {})
    shown = list(_fitting(of_tool.values(), given_versions(fleet, name), set(held)))
    if not shown:
        return None
    return ToolPublished(
        tool=name,
        position=fleet.position,
        halted=name in fleet.halted,
        versions=tuple(sorted(shown, key=lambda one: one.version)),
        omitted=len(of_tool) - len(shown),
    )


def _fitting(versions: Collection[Version], given: Set[int], held: Set[int]) -> Iterator[PublishedVersion]:
    room = VERSIONS_BYTES_MAX
    by_weight = sorted(versions, key=lambda one: (one.version not in given | held, -one.position))
    for version in by_weight[:VERSIONS_MAX]:
        for parameters in (_function(version).get("parameters"), None):
            said = _said(version, parameters, ordered=version.version in given, held=version.version in held)
            size = 0 if said is None else len(said.model_dump_json().encode()) + 1
            if said is not None and size <= room:
                room -= size
                yield said
                break


def _said(version: Version, parameters: object, *, ordered: bool, held: bool) -> PublishedVersion | None:
    try:
        return PublishedVersion(
            version=version.version,
            definition_hash=version.definition_hash,
            contract=version.contract,
            tier=version.tier,
            asynchronous=version.document.get("async") is True,
            description=str(_function(version).get("description", ""))[:DESCRIPTION_CHARACTERS_MAX],
            parameters=parameters if isinstance(parameters, dict) else None,
            ordered=ordered,
            held=held,
            withdrawn=version.is_withdrawn,
            note=version.note[:NOTE_CHARACTERS_MAX],
        )
    except ValidationError as error:  # of an event from before these rules; its neighbours are none the worse for it
        log.error("A version cannot be told of", tool=version.name, version=version.version, faults=error.error_count())
        return None


def _function(version: Version) -> dict[str, Any]:
    function = version.document.get("function")
    return function if isinstance(function, dict) else {}
