"""``tool-sync blueprint list | show | diff | requests``: what was published, what is registered, and what was asked."""

from collections.abc import Iterator
from typing import Any, Final

from tool_sync.cli.exits import NotFound
from tool_sync.cli.output import entry, print_json, print_line, print_lines, print_whole, show, utc, with_more
from tool_sync.db import Connection
from tool_sync.domain.fleet import Fleet
from tool_sync.publishing.difference import changed_words, json_text, unified
from tool_sync.queries.as_of import fleet_of
from tool_sync.queries.blueprint import PublishedVersion, UnknownVersion, published_documents, published_versions
from tool_sync.rollouts.tool_requests import ToolRequest, newest_requests

SHOWN_MAX: Final = 50
"""Requests."""


async def show_versions(connection: Connection, *, as_json: bool) -> None:
    """Print every version of every tool."""
    found = await published_versions(connection)
    document = [{name: value for name, value in with_more(one).items() if name != "document"} for one in found]
    show("blueprint list", document, _list_lines(found), as_json=as_json)


async def show_version(connection: Connection, name: str, version: int | None, *, as_json: bool) -> None:
    """Print what is registered for one version, by default the highest."""
    one = await version_of(connection, name, version)
    if as_json:
        print_json("blueprint show", with_more(one))
        return
    print_lines(entry(f"{one.name} {one.version}", _shown(one)))
    print_whole(json_text(one.document or {}))


async def version_of(connection: Connection, name: str, version: int | None) -> PublishedVersion:
    """A version with its document, by default the highest; raises `NotFound`, and `UnknownTool`."""
    documents = await published_documents(connection, name)
    number = max(documents, default=1) if version is None else version
    if number not in documents:
        raise NotFound(UnknownVersion(name, number, tuple(documents)))
    return documents[number]


def _shown(one: PublishedVersion) -> tuple[tuple[str, Any], ...]:
    return (
        ("tier", one.tier),
        ("open to clinics", ", ".join(one.open) or None),
        ("published at", utc(one.published_at)),
        ("by", one.actor if one.reason is None else f'{one.actor}: "{one.reason}"'),
        ("position", one.position),
        ("hash", one.definition_hash),
    )


def _list_lines(found: tuple[PublishedVersion, ...]) -> Iterator[str]:
    for one in found:
        yield from entry(f"{one.name} {one.version}", _shown(one))
    yield f"{len(found)} version(s)"


async def show_diff(connection: Connection, name: str, old: int, new: int, *, as_json: bool) -> None:
    """Print what differs between two versions. Raises `NotFound` and `UnknownTool`."""
    one = await version_of(connection, name, old)
    other = await version_of(connection, name, new)
    words = (*changed_words(one.document, other.document), *changed_words(one.open, other.open, "open"))
    names = (f"{name}@{old}", f"{name}@{new}")
    lines = tuple(unified(one.document or {}, other.document or {}, names))
    if as_json:
        print_json("blueprint diff", {"tool": name, "old": old, "new": new, "words": words, "diff": lines})
        return
    if not words:
        print_line(f"{name} {old} and {new} are registered alike")
        return
    print_lines((*words, ""))
    print_whole("\n".join(lines))


async def show_requests(connection: Connection, *, as_json: bool) -> None:
    """Print the newest ones, newest first."""
    found, count = await newest_requests(connection, SHOWN_MAX)
    fleet = await fleet_of(connection)
    document = [_request_document(one, fleet) for one in found]
    left = [f"{count - len(found):,} older requests"] if count > len(found) else []
    show(
        "blueprint requests",
        document,
        _request_lines(document, left),
        as_json=as_json,
        complete=not left,
        not_looked_at=left,
    )


def _request_document(request: ToolRequest, fleet: Fleet) -> dict[str, Any]:
    order = None if request.rollout_id is None else fleet.order(request.rollout_id)
    return {
        "request": request.id,
        "tool": request.tool,
        "state": request.state,
        "who": request.who,
        "statement": request.statement,
        "at": request.at,
        "changed_at": request.changed_at,
        "version": request.version,
        "orders": request.orders,
        "rollout": request.rollout_id,
        "rollout_state": None if order is None else order.state.replace("_", " "),
        "problems": list(request.problems),
    }


def _request_lines(found: list[dict[str, Any]], left: list[str]) -> Iterator[str]:
    for one in found:
        rollout = None if one["rollout"] is None else f"{one['rollout']}, {one['rollout_state']}"
        asked = f"{one['statement']} by {one['who']}, {utc(one['at'])}"
        fields = (("asked", asked), ("version", one["version"]), ("rollout", rollout))
        yield from entry(f"{one['request']} {one['tool']} {one['state']}", fields)
        yield from (f"  - {problem}" for problem in one["problems"])
    yield f"{len(found)} request(s)" + "".join(f", and {rest}" for rest in left)
