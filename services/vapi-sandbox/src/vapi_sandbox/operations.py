"""What the ten routes do. Each function is one atomic step on the store: validate, commit, answer.

Facts kept on purpose, because clients must survive them: no uniqueness, no idempotency, no locking between a GET and
a PATCH; a PATCH replaces each top-level field whole; a deleted tool stays in `toolIds` of every assistant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from vapi_sandbox.answers import NOT_A_UUID, Reply, conflict, failure, found, found_all, no_resource
from vapi_sandbox.assistant_rules import problems_of_assistant
from vapi_sandbox.calls import Call, Operation, Unreadable, parse_body
from vapi_sandbox.listing import parse
from vapi_sandbox.records import Document, Resource, build, pinned_ids
from vapi_sandbox.store import Shelf, Store
from vapi_sandbox.tool_rules import problems_of_new_tool, problems_of_tool_change


@dataclass(frozen=True, slots=True)
class Conditions:
    """The dials that change what a step does: ids in `toolIds` must exist; lists show the state of so long ago."""

    strict_tool_ids: bool = False
    list_lag_ms: int = 0


def execute(store: Store, call: Call, conditions: Conditions) -> Reply:
    """Do what a request asks, now."""
    shelf = store.shelf(call.vapi_org, call.route.kind)
    return _OPERATIONS[call.route.operation](store, shelf, call, conditions)


def _create(store: Store, shelf: Shelf, call: Call, conditions: Conditions) -> Reply:
    body = parse_body(call)
    if isinstance(body, Unreadable):
        return failure(400, body.reason)
    problems = problems_of_new_tool(body) if call.route.kind == "tool" else problems_of_assistant(body)
    problems += _unknown_tools(store, call, body, conditions)
    if problems:
        return failure(400, problems)
    now_ms = store.now_ms()
    content = _pins_win(body)
    resource = build(
        call.route.kind, str(uuid4()), call.vapi_org, content, created_ms=now_ms, updated_ms=now_ms, version=1
    )
    shelf.put(resource)
    return found(resource, 201)


def _list(store: Store, shelf: Shelf, call: Call, conditions: Conditions) -> Reply:
    query = parse(call.query)
    if isinstance(query, list):
        return failure(400, query)
    return found_all(shelf.select(query.window, query.limit, conditions.list_lag_ms))


def _get(store: Store, shelf: Shelf, call: Call, conditions: Conditions) -> Reply:
    resource = _look_up(shelf, call)
    return found(resource) if isinstance(resource, Resource) else resource


def _update(store: Store, shelf: Shelf, call: Call, conditions: Conditions) -> Reply:
    stored = _look_up(shelf, call)
    if isinstance(stored, Reply):
        return stored
    body = parse_body(call)
    if isinstance(body, Unreadable):
        return failure(400, body.reason)
    if call.route.kind == "tool":
        problems = problems_of_tool_change(body, stored.facts.type or "")
    else:
        problems = problems_of_assistant(body)
    problems += _unknown_tools(store, call, body, conditions)
    if problems:
        return failure(400, problems)
    return found(change(store, shelf, stored, body))


def _delete(store: Store, shelf: Shelf, call: Call, conditions: Conditions) -> Reply:
    resource = _look_up(shelf, call)
    if isinstance(resource, Reply):
        return resource
    if call.route.kind == "tool":
        pinners = store.shelf(call.vapi_org, "assistant").pinning(resource.id)
        if pinners:
            return conflict("tool_pinned", f"Tool {resource.id} is pinned by assistant {pinners[0]}; unpin it first")
    shelf.remove(resource)
    return found(resource)


def change(store: Store, shelf: Shelf, stored: Resource, fields: Document) -> Resource:
    """Replace top-level fields of a stored resource; a new version only where the content differs afterwards."""
    before = stored.content()
    content = _pins_win({**before, **fields})
    version = stored.version if content == before else stored.version + 1
    resource = build(
        stored.kind,
        stored.id,
        stored.vapi_org,
        content,
        created_ms=stored.created_ms,
        updated_ms=store.now_ms(),
        version=version,
    )
    shelf.put(resource)
    return resource


def _look_up(shelf: Shelf, call: Call) -> Resource | Reply:
    resource = shelf.get(call.id)
    if resource is not None:
        return resource
    return no_resource(call.route.kind, call.id) if _is_uuid(call.id) else NOT_A_UUID


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _pins_win(content: Document) -> Document:
    """Drop from `toolIds` what `toolRefs` pins: the real API does so when it writes."""
    model = content.get("model")
    pinned = pinned_ids(model)
    if not pinned or not isinstance(model, dict) or not isinstance(model.get("toolIds"), list):
        return content
    return {**content, "model": {**model, "toolIds": [tool for tool in model["toolIds"] if tool not in pinned]}}


def _unknown_tools(store: Store, call: Call, body: Document, conditions: Conditions) -> list[str]:
    model = body.get("model")
    if not conditions.strict_tool_ids or call.route.kind != "assistant" or not isinstance(model, dict):
        return []
    tools = store.shelf(call.vapi_org, "tool")
    linked = [tool for tool in model.get("toolIds") or [] if isinstance(tool, str)]
    return [f"model.toolIds: tool {tool} does not exist" for tool in linked if tools.get(tool) is None]


_OPERATIONS: dict[Operation, Callable[[Store, Shelf, Call, Conditions], Reply]] = {
    "create": _create,
    "list": _list,
    "get": _get,
    "update": _update,
    "delete": _delete,
}
