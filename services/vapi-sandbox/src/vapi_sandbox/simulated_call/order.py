"""What to simulate: the body of `POST /__sandbox/calls`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

DELIVERIES_MAX = 1000


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class ToolCallOrder(_Document):
    """One use of a tool by the model. `arguments` is what the model fills in; an `id` is made where none is given."""

    name: str
    arguments: dict[str, Any] = {}
    id: Annotated[str, Field(min_length=1)] | None = None


class CallOrder(_Document):
    """One call of an assistant, and what its model does in one turn; no tool calls only asks whether it comes up.

    `assistantVersion` (`v3`) is what an outbound call may ask for; without it a traffic split chooses by the number of
    the `customer`, and without a split the newest version takes the call. `callId` and the ids of the tool calls may be
    given, so that a later order can repeat this one. `deliveries` is how often each webhook is delivered, one after the
    other: with 2, the endpoint sees the same tool call twice.
    """

    assistant_id: str
    tool_calls: list[ToolCallOrder] = []
    assistant_version: str | None = None
    call_id: Annotated[str, Field(min_length=1)] | None = None
    customer: dict[str, Any] = {}
    deliveries: Annotated[int, Field(ge=1, le=DELIVERIES_MAX)] = 1

    @model_validator(mode="after")
    def _ids_differ(self) -> CallOrder:
        ids = [call.id for call in self.tool_calls if call.id is not None]
        if len(set(ids)) < len(ids):
            raise ValueError("each id of toolCalls may be given once")
        return self
