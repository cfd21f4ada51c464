"""One request to the API, as the rest of the sandbox sees it: its route, its caller, its body parsed at most once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from vapi_sandbox.javascript import from_json
from vapi_sandbox.records import Kind

Operation = Literal["create", "list", "get", "update", "delete", "allocate", "allocations", "allocation", "latest"]
Subject = Kind | Literal["traffic-allocation"]


@dataclass(frozen=True, slots=True)
class Route:
    """One of the routes; `name` is how dials and journal call it, for example `PATCH /tool/{id}`."""

    name: str
    kind: Subject
    operation: Operation


@dataclass(frozen=True, slots=True)
class Call:
    """A request on one of the routes by a known key. `id` is '' where the path has none."""

    route: Route
    id: str
    key: str
    vapi_org: str
    query: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body that is no JSON object; `reason` is the sentence of the 400."""

    reason: str


def _routes(kind: Kind) -> dict[tuple[str, str, bool], Route]:
    collection = f"/{kind}"
    return {
        ("POST", kind, False): Route(f"POST {collection}", kind, "create"),
        ("GET", kind, False): Route(f"GET {collection}", kind, "list"),
        ("GET", kind, True): Route(f"GET {collection}/{{id}}", kind, "get"),
        ("PATCH", kind, True): Route(f"PATCH {collection}/{{id}}", kind, "update"),
        ("DELETE", kind, True): Route(f"DELETE {collection}/{{id}}", kind, "delete"),
    }


_CALLS = {
    ("GET", "call", True): Route("GET /call/{id}", "call", "get"),
    ("DELETE", "call", True): Route("DELETE /call/{id}", "call", "delete"),
}
_SPLITS = "traffic-allocations"
_LATEST = Route(f"GET /{_SPLITS}/latest", "traffic-allocation", "latest")
_ROUTES = (
    _routes("tool")
    | _routes("assistant")
    | _CALLS
    | {
        ("POST", _SPLITS, False): Route(f"POST /{_SPLITS}", "traffic-allocation", "allocate"),
        ("GET", _SPLITS, False): Route(f"GET /{_SPLITS}", "traffic-allocation", "allocations"),
        ("GET", _SPLITS, True): Route(f"GET /{_SPLITS}/{{id}}", "traffic-allocation", "allocation"),
    }
)
ROUTE_NAMES = (*(route.name for route in _ROUTES.values()), _LATEST.name)


def find_route(method: str, path: str) -> tuple[Route, str] | None:
    """Return the route of a path and the id in it ('' for a collection); a slash at the end is tolerated."""
    collection, _, resource_id = path.strip("/").partition("/")
    if (method, collection, resource_id) == ("GET", _SPLITS, "latest"):
        return _LATEST, ""
    route = _ROUTES.get((method, collection, bool(resource_id)))
    return None if route is None or "/" in resource_id else (route, resource_id)


def parse_body(call: Call) -> dict[str, Any] | Unreadable:
    """Read the body as the API's own parser would (`vapi_sandbox.javascript`).

    A body without a JSON content type is refused; the framework behind the real API would ignore it and validate an
    empty object, which hides the mistake (our choice).
    """
    if "json" not in call.content_type:
        return Unreadable("Content-Type must be application/json")
    try:
        value = from_json(call.body)
    except ValueError as error:
        return Unreadable(f"Unexpected token in JSON: {error}")
    if not isinstance(value, dict):
        return Unreadable("body must be an object")
    return cast(dict[str, Any], value)
