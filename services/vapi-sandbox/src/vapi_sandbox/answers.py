"""What the API answers: bodies in the manner of the framework behind it (`message`, `error`, `statusCode`).

A validation failure lists every problem in `message`; any other error has one sentence there.
The texts for 404 of an id and for 429 are not published: they are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from vapi_sandbox.javascript import to_json
from vapi_sandbox.records import Resource

JSON_TYPE = b"application/json; charset=utf-8"
Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `executed` says that the operation took place (a read: that something was found)."""

    status: int
    body: bytes
    executed: bool = False
    created: str | None = None
    media_type: bytes = JSON_TYPE
    headers: tuple[Header, ...] = ()


def found(resource: Resource, status: int = 200) -> Reply:
    """Answer with one resource."""
    return Reply(status, resource.body, executed=True, created=resource.id if status == 201 else None)


def found_all(bodies: list[bytes]) -> Reply:
    """Answer with a bare array."""
    return Reply(200, b"[" + b",".join(bodies) + b"]", executed=True)


def failure(status: int, message: str | list[str], headers: tuple[Header, ...] = ()) -> Reply:
    """Answer with an error body."""
    body = {"message": message, "error": phrase(status), "statusCode": status}
    return Reply(status, to_json(body), headers=headers)


def phrase(status: int) -> str:
    """Return the words for a status; `Error` for the unregistered ones that edge proxies use."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def conflict(code: str, message: str) -> Reply:
    """Answer 409; its body has a code in `error` and no `statusCode`."""
    return Reply(409, to_json({"error": code, "message": message}))


def no_route(method: str, path: str) -> Reply:
    """Answer for a path or method that the API does not have."""
    return failure(404, f"Cannot {method} {path}")


def no_resource(kind: str, resource_id: str) -> Reply:
    """Answer for an id that is unknown, deleted or of another org: the three look alike."""
    return failure(404, f"{kind.capitalize()} {resource_id} Not Found")


MISSING_KEY = failure(401, "Missing Authorization Header.")
INVALID_KEY = failure(
    401, "Invalid Key. Hot tip, you may be using the private key instead of the public key, or vice versa."
)
NOT_A_UUID = failure(400, ["id must be a UUID"])
