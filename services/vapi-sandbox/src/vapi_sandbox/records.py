"""A stored resource: the bytes it is answered with, and the few facts that rules and counters ask for.

The document itself is kept as bytes only. A benchmark makes tens of thousands of them, reads are far more frequent
than writes, and a parsed document takes about six times the memory.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from vapi_sandbox.clock import iso_ms
from vapi_sandbox.javascript import to_json

Kind = Literal["tool", "assistant", "call"]
KINDS: tuple[Kind, ...] = ("tool", "assistant")
"""What has versions, and can be written."""
Document = dict[str, Any]

# Added by the server and therefore refused in a request body.
SERVER_FIELDS = ("id", "orgId", "createdAt", "updatedAt", "latestVersion")


@dataclass(frozen=True, slots=True)
class Facts:
    """What can be asked of a resource without parsing it again.

    `marker` is a tool's static parameter `organization_id`; `pins` are the tool ids in an assistant's `toolRefs`.
    """

    type: str | None = None
    name: str | None = None
    marker: str | None = None
    pins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Resource:
    """One tool or assistant of one Vapi org, at one version. Times are milliseconds since 1970."""

    kind: Kind
    id: str
    vapi_org: str
    created_ms: int
    updated_ms: int
    version: int
    facts: Facts
    body: bytes

    @property
    def label(self) -> str:
        """Return the public name of this version, for example `v3`."""
        return f"v{self.version}"

    def content(self) -> Document:
        """Return the document without the server's own fields, as a fresh object that may be changed."""
        document: Document = json.loads(self.body)
        for name in SERVER_FIELDS:
            del document[name]
        return document


def build(
    kind: Kind, resource_id: str, vapi_org: str, content: Document, *, created_ms: int, updated_ms: int, version: int
) -> Resource:
    """Make a resource of its content (without the server's own fields)."""
    document = {
        "id": resource_id,
        "orgId": vapi_org,
        "createdAt": iso_ms(created_ms),
        "updatedAt": iso_ms(updated_ms),
        **content,
        "latestVersion": f"v{version}",
    }
    facts = tool_facts(content) if kind == "tool" else assistant_facts(content)
    return Resource(kind, resource_id, vapi_org, created_ms, updated_ms, version, facts, to_json(document))


def build_call(call_id: str, vapi_org: str, assistant_id: str, *, created_ms: int) -> Resource:
    """Make the record of a phone call that has ended; of what the real one holds, only what tells calls apart."""
    at = iso_ms(created_ms)
    document = {
        "id": call_id,
        "orgId": vapi_org,
        "createdAt": at,
        "updatedAt": at,
        "type": "inboundPhoneCall",
        "status": "ended",
        "assistantId": assistant_id,
    }
    return Resource("call", call_id, vapi_org, created_ms, created_ms, 1, Facts(), to_json(document))


def config_hash(content: Document) -> str:
    """Return what the API tells versions apart by: SHA-256, in hex, of the content whatever the order of its fields."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def tool_facts(content: Document) -> Facts:
    """Read a tool's type, function name and `organization_id` marker, whatever shape the content has."""
    function = content.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    type_ = content.get("type")
    return Facts(
        type=type_ if isinstance(type_, str) else None,
        name=name if isinstance(name, str) else None,
        marker=_static_parameter(content.get("parameters"), "organization_id"),
    )


def assistant_facts(content: Document) -> Facts:
    """Read an assistant's name and pinned tools, whatever shape the content has."""
    name = content.get("name")
    model = content.get("model")
    return Facts(name=name if isinstance(name, str) else None, pins=frozenset(pinned_ids(model)))


def pinned_ids(model: object) -> list[str]:
    """List the tool ids that `toolRefs` of a model pins."""
    refs = model.get("toolRefs") if isinstance(model, dict) else None
    if not isinstance(refs, list):
        return []
    return [ref["toolId"] for ref in refs if isinstance(ref, dict) and isinstance(ref.get("toolId"), str)]


def _static_parameter(parameters: object, key: str) -> str | None:
    if not isinstance(parameters, list):
        return None
    for parameter in parameters:
        if isinstance(parameter, dict) and parameter.get("key") == key:
            value = parameter.get("value")
            return value if isinstance(value, str) else None
    return None
