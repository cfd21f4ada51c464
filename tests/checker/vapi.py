"""Vapi's side of the history: who made which tool and assistant, and how every assistant came to be what it is.

The journal is replayed in the order in which operations took place, not in that of arrival: a late one may land after
its successor. A PATCH replaces each top-level field whole, and an id that `toolRefs` pins is dropped from `toolIds`
(Vapi does both).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.checker.dump import Row

INSTALLATION_HEADER = "x-zerotouch-installation"


@dataclass(frozen=True, slots=True)
class Key:
    """Whose: an organization's tool of a name, or an organization's agent."""

    org: str
    name: str


@dataclass(frozen=True, slots=True)
class Write:
    """A change of an assistant that took place. `before` and `after` are its content."""

    entry: Row
    assistant: str
    ours: bool
    before: Row
    after: Row
    at: float


@dataclass(slots=True)
class Vapi:
    """What took place, by key and id; filled by :func:`replay`."""

    tools_made: dict[Key, list[str]] = field(default_factory=lambda: defaultdict(list))
    assistants_made: dict[Key, list[str]] = field(default_factory=lambda: defaultdict(list))
    tool_keys: dict[str, Key] = field(default_factory=dict)
    assistant_keys: dict[str, Key] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    deleted_by_us: dict[str, Row] = field(default_factory=dict)
    """Ids of tools and assistants that a service has deleted, with the entry of the journal."""
    made_by_us: set[str] = field(default_factory=set)
    tool_urls: dict[str, str] = field(default_factory=dict)
    """Where a tool of ours is called by what a service wrote last, by id."""
    writes: list[Write] = field(default_factory=list)
    writes_of: dict[str, list[Write]] = field(default_factory=lambda: defaultdict(list))
    versions: dict[str, list[tuple[float, Row]]] = field(default_factory=lambda: defaultdict(list))
    tool_writes: int = 0


def replay(journal: list[Row], installation: str, is_ours: dict[int, bool]) -> Vapi:
    """Replay all that was executed. ``is_ours``: by sequence, whether a service sent it."""
    vapi = Vapi()
    executed = [entry for entry in journal if entry["executed"] and entry["method"] != "GET"]
    executed.sort(key=lambda entry: (entry["executed_monotonic_seconds"], entry["sequence"]))
    for entry in executed:
        kind, _, resource = entry["path"].strip("/").partition("/")
        if is_ours[entry["sequence"]]:
            vapi.made_by_us.update(entry["created"])
            if entry["method"] == "DELETE":
                vapi.deleted_by_us[resource] = entry
        if kind == "tool":
            _tool(vapi, entry, resource, installation)
            if is_ours[entry["sequence"]]:
                _tool_url(vapi, entry, resource)
        elif kind == "assistant":
            _assistant(vapi, entry, resource, installation, is_ours[entry["sequence"]])
    return vapi


def tool_key(tool: Any, installation: str) -> Key | None:
    """Whose a tool is, None where it is not this installation's."""
    try:
        headers = {str(name).lower(): value for name, value in tool["server"]["headers"].items()}
        if headers.get(INSTALLATION_HEADER) != installation:
            return None
        static = {item["key"]: item["value"] for item in tool["parameters"]}
        return Key(str(static["organization_id"]), str(tool["function"]["name"]))
    except (KeyError, TypeError, AttributeError):
        return None


def assistant_key(assistant: Any, installation: str) -> Key | None:
    """Whose an assistant is, None where its metadata does not say that it is this installation's."""
    metadata = assistant.get("metadata") if isinstance(assistant, dict) else None
    if not isinstance(metadata, dict) or metadata.get("zerotouch_installation") != installation:
        return None
    return Key(str(metadata.get("organization_id")), str(metadata.get("agent_id")))


def linked(assistant: Row) -> tuple[list[str], list[str]]:
    """The ids in `model.toolIds`, and those that `model.toolRefs` pins."""
    model = assistant.get("model")
    if not isinstance(model, dict):
        return [], []
    refs = [ref.get("toolId") for ref in model.get("toolRefs") or [] if isinstance(ref, dict)]
    return list(model.get("toolIds") or []), [str(ref) for ref in refs if ref is not None]


def called(tool: Any) -> str | None:
    """The function name of a tool, inline or saved; None where it has none."""
    function = tool.get("function") if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else None


def live(state: Row) -> Iterator[tuple[str, Row]]:
    """`("tool" or "assistant", resource)` of everything that lives in the sandbox."""
    for vapi_org in state.get("vapi_orgs", {}).values():
        for tool in vapi_org["tools"]:
            yield "tool", tool
        for assistant in vapi_org["assistants"]:
            yield "assistant", assistant


def _tool(vapi: Vapi, entry: Row, resource: str, installation: str) -> None:
    match entry["method"]:
        case "POST" if (key := tool_key(entry["body"], installation)) is not None:
            for made in entry["created"]:
                vapi.tools_made[key].append(made)
                vapi.tool_keys[made] = key
        case "PATCH" if resource in vapi.tool_keys:
            vapi.tool_writes += 1
        case "DELETE":
            vapi.deleted.add(resource)


def _tool_url(vapi: Vapi, entry: Row, resource: str) -> None:
    server = entry["body"].get("server") if isinstance(entry["body"], dict) else None
    if isinstance(server, dict) and isinstance(server.get("url"), str):
        for tool_id in entry["created"] or [resource]:
            vapi.tool_urls[tool_id] = server["url"]


def _assistant(vapi: Vapi, entry: Row, resource: str, installation: str, ours: bool) -> None:
    at, body = entry["executed_monotonic_seconds"], entry["body"]
    match entry["method"]:
        case "POST":
            for made in entry["created"]:
                vapi.versions[made].append((at, _pins_win(body or {})))
                if (key := assistant_key(body, installation)) is not None:
                    vapi.assistants_made[key].append(made)
                    vapi.assistant_keys[made] = key
        case "PATCH" if vapi.versions.get(resource) and isinstance(body, dict):
            before = vapi.versions[resource][-1][1]
            after = _pins_win({**before, **body})
            vapi.versions[resource].append((at, after))
            vapi.writes.append(Write(entry, resource, ours, before, after, at))
            vapi.writes_of[resource].append(vapi.writes[-1])
        case "DELETE":
            vapi.deleted.add(resource)


def _pins_win(content: Row) -> Row:
    ids, pinned = linked(content)
    if not pinned or not ids:
        return content
    return {**content, "model": {**content["model"], "toolIds": [tool for tool in ids if tool not in pinned]}}
