"""``tool-sync blueprint list | show``: which versions were published, and what is registered for one."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tool_sync.cli.connected import NotFound
from tool_sync.cli.output import entry, print_json, show, utc
from tool_sync.db import Connection
from tool_sync.queries.blueprint import PublishedVersion, UnknownVersion, published_documents, published_versions


async def show_versions(connection: Connection, *, as_json: bool) -> int:
    """Print every version of every tool; returns the exit status."""
    found = await published_versions(connection)
    document = [{name: value for name, value in _facts(one).items() if name != "document"} for one in found]
    show("blueprint list", document, _list_lines(found), as_json=as_json)
    return 0


async def show_version(connection: Connection, name: str, version: int | None, *, as_json: bool) -> int:
    """Print what is registered for one version, by default the highest; returns the exit status."""
    one = await version_of(connection, name, version)
    if as_json:
        print_json("blueprint show", _facts(one))
        return 0
    print("\n".join((*entry(f"{one.name} {one.version}", _shown(one)), json_text(one.document or {}))))
    return 0


async def version_of(connection: Connection, name: str, version: int | None) -> PublishedVersion:
    """A version with its document, by default the highest; raises `NotFound`, and `UnknownTool`."""
    documents = await published_documents(connection, name)
    number = max(documents, default=1) if version is None else version
    if number not in documents:
        raise NotFound(UnknownVersion(name, number, tuple(documents)))
    return documents[number]


def json_text(document: Mapping[str, Any]) -> str:
    """What is hashed, spread over lines: keys in order, nothing escaped that need not be."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)


def _facts(one: PublishedVersion) -> dict[str, Any]:
    return {field: getattr(one, field) for field in PublishedVersion.__dataclass_fields__}


def _shown(one: PublishedVersion) -> tuple[tuple[str, Any], ...]:
    return (
        ("tier", one.tier),
        ("published at", utc(one.published_at)),
        ("position", one.position),
        ("hash", one.definition_hash),
    )


def _list_lines(found: tuple[PublishedVersion, ...]) -> Iterator[str]:
    for one in found:
        yield from entry(f"{one.name} {one.version}", _shown(one))
    yield f"{len(found)} version(s)"
