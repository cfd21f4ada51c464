"""The dial for what sources disagree about: the forms of a tool call on the wire, and the unit of its timestamp.

All of them were seen, or are described, somewhere (captures, staff posts, API schema, skills; read 2026-11), and Vapi
says that representations may change: an endpoint has to understand every one.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

# Which of several tools of one function name a call gets (Vapi does not publish it). The list is Vapi's: inline tools,
# then `toolIds`, then `toolRefs`. `inline` and `saved` say which of the two wins; among equals the first of the list.
SameName = Literal["first", "last", "inline", "saved"]


class WebhookShape(BaseModel):
    """Where a tool call has its name and its arguments, and how the arguments are written. Defaults: as captured.

    `timestamp_unit` is that of the header that an HMAC covers (the real unit is not published).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name_at: Literal["function.name", "name"] = "function.name"
    arguments_at: Literal["function.arguments", "function.parameters", "arguments", "parameters"] = "function.arguments"
    arguments_as: Literal["object", "string"] = "object"
    timestamp_unit: Literal["s", "ms"] = "s"
