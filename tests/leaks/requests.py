"""Requests made from an OpenAPI document and a small table: which parameter names what, and what is right for the rest.

Nothing here knows a route, but for what its document does not say (`ONE_OF`). One whose parameters the table does not
know cannot be filled, and is told by name.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote

from tests.support.from_openapi import Operation

Place = Literal["path", "query", "header", "body"]


@dataclass(frozen=True, slots=True)
class Names:
    """A parameter that names something of a clinic. ``fact``: which kind; ``refused``: how another clinic's is
    answered, empty where the parameter only filters what is one's own."""

    fact: str
    refused: frozenset[int] = frozenset({404})


NAMES: Final[Mapping[str, Names]] = {
    **dict.fromkeys(("org_id", "orgId", "org", "organizationId"), Names("org")),
    **dict.fromkeys(("agent_id", "agentId"), Names("agent")),
    "assistant": Names("assistant"),
    "vapiAssistantId": Names("assistant", frozenset({404, 422})),
    "agent": Names("agent", frozenset()),
    "trace": Names("trace", frozenset()),
    "who": Names("principal", frozenset()),
    "message": Names("call", frozenset()),
    "erasure_id": Names("erasure"),
    "link_id": Names("link"),
    "appointment": Names("appointment"),
    "phone": Names("phone", frozenset()),
}
ONE_OF: Final[Mapping[str, tuple[str, ...]]] = {"POST /api/erasures": ("phone", "appointment")}
"""Properties of which a body has exactly one; the first, where none is given."""
CURSORS: Final = frozenset({"after", "before", "position", "last-event-id"})
"""Parameters that say where to go on."""


class Unfillable(Exception):
    """No right value is known for a field that a request needs: add one to the table."""


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter, or property of a body."""

    name: str
    place: Place
    required: bool
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it goes out."""

    target: str
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def text(self) -> str:
        """All of it that a caller wrote."""
        return f"{self.target} {dict(self.headers)} {(self.body or b'').decode()}"


@dataclass(frozen=True, slots=True)
class Form:
    """One operation, ready to be filled in. ``right``: values by name, or by `METHOD path name` where that differs."""

    operation: Operation
    right: Mapping[str, Any]
    fields: tuple[Field, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(_fields(self.operation)))

    @property
    def name(self) -> str:
        """Such as `GET /v1/tools`."""
        return f"{self.operation.method.upper()} {self.operation.path}"

    @property
    def streams(self) -> bool:
        """Whether its answer does not end by itself."""
        return "text/event-stream" in self.operation.spec["responses"]["200"]["content"] if self._has_200 else False

    @property
    def naming(self) -> tuple[Field, ...]:
        """The fields that name something of a clinic."""
        return tuple(one for one in self.fields if one.name in NAMES)

    def filled(self, given: Mapping[str, Any], query: Mapping[str, str], headers: Mapping[str, str]) -> Sent:
        """The request with these values, what else it needs, and nothing that it does not."""
        path, queries, sent_headers, body = self.operation.path, dict(query), dict(headers), dict[str, Any]()
        choice = ONE_OF.get(self.name, ())
        chosen = next((name for name in choice if name in given), next(iter(choice), None))
        needed = [
            one
            for one in self.fields
            if one.name == chosen or (one.name not in choice and (one.required or one.name in given))
        ]
        bare = not any(one.place == "body" for one in needed)
        for one in self.fields:
            known = bare and one.place == "body" and one.name in self.right and one.name not in NAMES
            if (one not in needed and not known) or (one.place == "body" and self._whole in self.right):
                continue
            value = given[one.name] if one.name in given else self._right(one)
            match one.place:
                case "path":
                    path = path.replace(f"{{{one.name}}}", quote(str(value), safe=""))
                case "query":
                    queries[one.name] = str(value)
                case "header":
                    sent_headers[one.name] = str(value)
                case "body":
                    body[one.name] = value
        told = "&".join(f"{name}={quote(text, safe='')}" for name, text in queries.items())
        return Sent("?".join([path, told]).rstrip("?"), sent_headers, self._body(body))

    def _body(self, values: dict[str, Any]) -> bytes | None:
        if "requestBody" not in self.operation.spec:
            return None
        return json.dumps(self.right.get(self._whole, values)).encode()

    @property
    def _whole(self) -> str:
        """Under which a right body stands as one value."""
        return f"{self.name} body"

    def _right(self, one: Field) -> Any:
        for key in (f"{self.name} {one.name}", one.name):
            if key in self.right:
                return self.right[key]
        schema = self.operation.resolved(one.schema)
        if "const" in schema or schema.get("enum"):
            return schema.get("const", next(iter(schema.get("enum", ())), None))
        raise Unfillable(f"{self.name}: no right value is known for {one.place} {one.name}")

    @property
    def _has_200(self) -> bool:
        return "content" in self.operation.spec["responses"].get("200", {})


def _fields(operation: Operation) -> Iterator[Field]:
    for one in operation.spec.get("parameters", ()):
        yield Field(one["name"], one["in"], one.get("required", False), one["schema"])
    content = operation.spec.get("requestBody", {}).get("content", {})
    schema = operation.resolved(content.get("application/json", {}).get("schema", {}))
    for name, inner in schema.get("properties", {}).items():
        yield Field(name, "body", name in schema.get("required", ()) or name in {"message"}, inner)
