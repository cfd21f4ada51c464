"""What the routes do. Each function is one atomic step on the store: validate, commit, answer.

Facts kept on purpose, because clients must survive them: no uniqueness, no idempotency, no locking between a GET and
a PATCH; a PATCH replaces each top-level field whole; a deleted tool stays in `toolIds` of every assistant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from vapi_sandbox.allocations import (
    NO_ACCESS,
    advance,
    allocate,
    find_allocation,
    latest_allocation,
    list_allocations,
)
from vapi_sandbox.answers import NOT_A_UUID, Reply, conflict, failure, found, found_all, no_resource
from vapi_sandbox.assistant_rules import problems_of_assistant
from vapi_sandbox.calls import Call, Operation, Unreadable, parse_body
from vapi_sandbox.checks import is_uuid
from vapi_sandbox.listing import parse
from vapi_sandbox.lists import PLAIN, View
from vapi_sandbox.planted import Planted
from vapi_sandbox.records import Document, Resource, build, config_hash, pinned_ids
from vapi_sandbox.store import Shelf, Store
from vapi_sandbox.tool_rules import problems_of_new_tool, problems_of_tool_change


@dataclass(frozen=True, slots=True)
class Conditions:
    """The dials that change what a step does.

    Ids in `toolIds` must exist (`strict_tool_ids`); lists show this `view` of what is stored, and `planted` objects
    beside it; the org has access to traffic splits.
    """

    strict_tool_ids: bool = False
    view: View = PLAIN
    planted: Sequence[Planted] = ()
    may_split: bool = True


def execute(store: Store, call: Call, conditions: Conditions) -> Reply:
    """Do what a request asks, now."""
    if call.route.kind == "traffic-allocation":
        return _ALLOCATIONS[call.route.operation](store, call) if conditions.may_split else NO_ACCESS
    shelf = store.shelf(call.vapi_org, call.route.kind)
    if call.route.name == "DELETE /call/{id}":
        return _delete_calls(shelf, call)
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
    kind = shelf.kind
    resource = build(
        kind, str(uuid4()), call.vapi_org, _pins_win(body), created_ms=now_ms, updated_ms=now_ms, version=1
    )
    shelf.put(resource)
    return found(resource, 201)


def _list(store: Store, shelf: Shelf, call: Call, conditions: Conditions) -> Reply:
    query = parse(call.query)
    if isinstance(query, list):
        return failure(400, query)
    bodies = [planted.body for planted in conditions.planted if planted.shows(shelf.kind, call.vapi_org, query.window)]
    room = max(0, query.limit - len(bodies))
    bodies += [resource.body for resource in shelf.select(query.window, room, conditions.view)]
    return found_all(bodies[: query.limit])


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
        pinners += store.splits.pinning(call.vapi_org, resource.id)
        if pinners:
            return conflict("tool_pinned", f"Tool {resource.id} is pinned by assistant {pinners[0]}; unpin it first")
    shelf.remove(resource)
    return found(resource)


def _delete_calls(shelf: Shelf, call: Call) -> Reply:
    """Delete one phone call, or those that the body names as `ids`: then the id in the path is ignored.

    The published schema asks for a body (`DeleteCallDTO`, SDK 3.0.0). What the answer to `ids` is, and that they go at
    once and not within hours, is our choice.
    """
    body = parse_body(call)
    if isinstance(body, Unreadable):
        return failure(400, body.reason)
    ids = body.get("ids")
    problems = [f"property {name} should not exist" for name in body if name != "ids"]
    if ids is not None and not (isinstance(ids, list) and all(isinstance(one, str) for one in ids)):
        problems += ["each value in ids must be a string", "ids must be an array"]
    if problems:
        return failure(400, problems)
    if ids is None:
        one = _look_up(shelf, call)
        if isinstance(one, Resource):
            shelf.remove(one)
        return found(one) if isinstance(one, Resource) else one
    gone = [resource for named in ids if (resource := shelf.get(named)) is not None]
    for resource in gone:
        shelf.remove(resource)
    return found_all([resource.body for resource in gone])


def change(store: Store, shelf: Shelf, stored: Resource, fields: Document) -> Resource:
    """Replace top-level fields of a stored resource; a new version only where the content differs afterwards."""
    before = stored.content()
    content = _pins_win({**before, **fields})
    # What differs for Python differs in JSON; what is equal may still be true instead of 1.
    is_new = content != before or config_hash(content) != config_hash(before)
    resource = build(
        stored.kind,
        stored.id,
        stored.vapi_org,
        content,
        created_ms=stored.created_ms,
        updated_ms=store.now_ms(),
        version=stored.version + is_new,
    )
    shelf.put(resource)
    if is_new and stored.kind == "assistant":
        advance(store, stored.vapi_org, stored.id)
    return resource


def _look_up(shelf: Shelf, call: Call) -> Resource | Reply:
    resource = shelf.get(call.id)
    if resource is not None:
        return resource
    return no_resource(call.route.kind, call.id) if is_uuid(call.id) else NOT_A_UUID


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

_ALLOCATIONS: dict[Operation, Callable[[Store, Call], Reply]] = {
    "allocate": allocate,
    "allocations": list_allocations,
    "allocation": find_allocation,
    "latest": latest_allocation,
}
