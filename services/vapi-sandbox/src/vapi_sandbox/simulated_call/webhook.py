"""The body of a `tool-calls` webhook, in the shape that the dial asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vapi_sandbox.clock import iso_ms
from vapi_sandbox.javascript import to_json
from vapi_sandbox.records import Document
from vapi_sandbox.simulated_call.shape import WebhookShape

_SHOWN_OF_TOOL = ("type", "async", "function", "server", "messages")


@dataclass(frozen=True, slots=True)
class Conversation:
    """The call that is simulated; `assistant` is the whole resource, server's fields included."""

    id: str
    vapi_org: str
    assistant: Document
    customer: Document
    started_ms: int


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One use of a tool, with its arguments as they are delivered; `origin` says which tool of the assistant it was.

    Asynchronous: the model does not wait for it.
    """

    id: str
    name: str
    arguments: Document
    tool: Document
    origin: dict[str, str | None]

    @property
    def is_async(self) -> bool:
        """Say whether the tool's `async` is set."""
        return self.tool.get("async") is True


def webhook_body(call: Conversation, tool_calls: Sequence[ToolCall], shape: WebhookShape, now_ms: int) -> bytes:
    """Write the body for tool calls that go to one server; the same bytes serve every delivery of it."""
    listed = [_shaped(tool_call, shape) for tool_call in tool_calls]
    return to_json(
        {
            "message": {
                "timestamp": now_ms,
                "type": "tool-calls",
                "toolCalls": listed,
                "toolCallList": listed,
                "toolWithToolCallList": [
                    {**_shown(tool_call.tool), "toolCall": item}
                    for tool_call, item in zip(tool_calls, listed, strict=True)
                ],
                "call": {
                    "id": call.id,
                    "orgId": call.vapi_org,
                    "type": "inboundPhoneCall",
                    "status": "in-progress",
                    "assistantId": call.assistant["id"],
                    "createdAt": iso_ms(call.started_ms),
                },
                "assistant": call.assistant,
                "customer": call.customer,
                "phoneNumber": {},
                "artifact": {"messages": []},
                "assistantVersion": call.assistant["latestVersion"],
            }
        }
    )


def _shaped(call: ToolCall, shape: WebhookShape) -> dict[str, Any]:
    function: dict[str, Any] = {}
    item: dict[str, Any] = {"id": call.id, "type": "function"}
    (function if shape.name_at == "function.name" else item)["name"] = call.name
    holder, _, key = shape.arguments_at.rpartition(".")
    arguments = call.arguments if shape.arguments_as == "object" else to_json(call.arguments).decode()
    (function if holder else item)[key] = arguments
    return {**item, "function": function} if function else item


def _shown(tool: Document) -> Document:
    """Leave out what only the platform needs, first of all the static parameters: they arrive as arguments."""
    return {name: tool[name] for name in _SHOWN_OF_TOOL if name in tool}
