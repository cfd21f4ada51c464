"""One request to the API, as the rest of the sandbox sees it: its route, its caller, its body parsed at most once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, cast

from vapi_sandbox.records import Kind

Operation = Literal["create", "list", "get", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Route:
    """One of the ten routes; `name` is how dials and journal call it, for example `PATCH /tool/{id}`."""

    name: str
    kind: Kind
    operation: Operation


@dataclass(frozen=True, slots=True)
class Call:
    """A request on one of the ten routes by a known key. `id` is '' where the path has none."""

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


_ROUTES = _routes("tool") | _routes("assistant")
ROUTE_NAMES = tuple(route.name for route in _ROUTES.values())


def find_route(method: str, path: str) -> tuple[Route, str] | None:
    """Return the route of a path and the id in it ('' for a collection); a slash at the end is tolerated."""
    collection, _, resource_id = path.strip("/").partition("/")
    route = _ROUTES.get((method, collection, bool(resource_id)))
    return None if route is None or "/" in resource_id else (route, resource_id)


def parse_body(call: Call) -> dict[str, Any] | Unreadable:
    """Read the body as the API's own parser would: integral numbers lose their `.0`, NaN is no JSON.

    A body without a JSON content type is refused; the framework behind the real API would ignore it and validate an
    empty object, which hides the mistake (our choice).
    """
    if "json" not in call.content_type:
        return Unreadable("Content-Type must be application/json")
    try:
        value = json.loads(call.body, parse_float=_number, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        return Unreadable(f"Unexpected token in JSON: {error}")
    if not isinstance(value, dict):
        return Unreadable("body must be an object")
    return cast(dict[str, Any], value)


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")
