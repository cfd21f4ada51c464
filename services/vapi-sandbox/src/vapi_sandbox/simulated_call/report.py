"""What became of a simulated call, as values and as the JSON that the control plane answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vapi_sandbox.simulated_call.results import NOTHING, RESOLVED, Said
from vapi_sandbox.simulated_call.spoken import spoken
from vapi_sandbox.simulated_call.webhook import Conversation, ToolCall


@dataclass(frozen=True, slots=True)
class Outcome:
    """One delivery as one tool call saw it. `statuses` has each attempt; None is an attempt without an answer."""

    statuses: tuple[int | None, ...]
    said: Said | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToolCallReport:
    """One tool call. `undelivered` says why there was no webhook at all, where there was none.

    `server_url` is where the webhook went, whatever came back.
    """

    call: ToolCall
    outcomes: tuple[Outcome, ...] = ()
    undelivered: str | None = None
    server_url: str | None = None

    @property
    def answer(self) -> Said | None:
        """Return the first answer that could be heard."""
        return next((outcome.said for outcome in self.outcomes if outcome.said is not None), None)

    @property
    def problems(self) -> list[str]:
        """List every problem; with several deliveries each says in which one."""
        if self.undelivered is not None:
            return [self.undelivered]
        several = len(self.outcomes) > 1
        return [
            f"delivery {number}: {problem}" if several else problem
            for number, outcome in enumerate(self.outcomes, 1)
            for problem in outcome.problems
        ]

    def document(self) -> dict[str, Any]:
        """Return it as JSON.

        `spoken` is what the caller is told by the tool's messages. `unheard` is the answer to an `async` tool call: it
        came after the model went on.
        """
        is_async = self.call.is_async
        heard = RESOLVED if is_async else self.answer or NOTHING
        return {
            "id": self.call.id,
            "name": self.call.name,
            "async": is_async,
            "tool": self.call.origin,
            "serverUrl": self.server_url,
            "spoken": spoken(self.call.tool, heard.kind),
            "heard": _said(heard),
            "unheard": _said(self.answer) if is_async else None,
            "deliveries": [
                {"statuses": outcome.statuses, "answer": _said(outcome.said), "problems": outcome.problems}
                for outcome in self.outcomes
            ],
            "problems": self.problems,
        }


def report(call: Conversation, reports: list[ToolCallReport]) -> dict[str, Any]:
    """Return the whole call as JSON, tool calls in the order in which the model made them."""
    return {
        "callId": call.id,
        "assistantId": call.assistant["id"],
        "assistantVersion": call.assistant["latestVersion"],
        "toolCalls": [entry.document() for entry in reports],
    }


def _said(said: Said | None) -> dict[str, str] | None:
    return None if said is None else {"as": said.kind, "text": said.text}
