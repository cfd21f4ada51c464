"""What the caller is told about a tool call, by the tool's own `messages`.

| type               | is said                                                                   |
|--------------------|---------------------------------------------------------------------------|
| `request-start`    | when the tool is called; never of an `async` tool                         |
| `request-complete` | after a result; of an `async` tool at once, since nobody waits for it     |
| `request-failed`   | after an error, or where there is no result; never of an `async` tool     |

Triggers as in the API schema (`ToolMessageStart`, `…Complete`, `…Failed`; read 2026-11). With the role `system` a
message is a hint to the model, and not said. Of several of one type the first without `conditions` is said, and the
filler that Vapi picks where there is no `request-start` is left out (our choices).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from vapi_sandbox.records import Document
from vapi_sandbox.simulated_call.results import Kind

Occasion = Literal["request-start", "request-complete", "request-failed"]


def spoken(tool: Document, heard: Kind) -> list[dict[str, str]]:
    """Return what is said, in order, as `type` and `text`; `heard` is what the model goes on with."""
    return [{"type": occasion, "text": text} for occasion in _occasions(heard) if (text := _text(tool, occasion))]


def _occasions(heard: Kind) -> Iterator[Occasion]:
    if heard != "resolved":
        yield "request-start"
    yield "request-failed" if heard in ("error", "nothing") else "request-complete"


def _text(tool: Document, occasion: Occasion) -> str | None:
    """Return the content of the tool's message; inline tools are stored unchecked, so any part may be missing."""
    messages = tool.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict) or message.get("type") != occasion or message.get("conditions"):
            continue
        content = message.get("content")
        return content if isinstance(content, str) and message.get("role") != "system" else None
    return None
