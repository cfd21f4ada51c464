"""A tool call as a row of the access log says it. Pure."""

from typing import Final

from opentelemetry.trace import Span

from assistant_api.access_log.entry import Action, Entry, Who
from assistant_api.telemetry import own_trace_id
from assistant_api.tool_calls.answers import UNAVAILABLE, Answer
from assistant_api.tool_calls.arguments import Fit, Unfit

PRINCIPAL: Final = "vapi"
WITHOUT_ROW: Final = frozenset({"foreign", "unknown_clinic", "too_many", "unavailable"})
"""What was answered without anything being written: whose they are nobody knows, or the database does not answer."""


def accessed(checked: Fit | Unfit, answer: Answer, action: Action, tool_call_id: str, span: Span) -> Entry:
    """The row of a call that is somebody's; a call that was not done has the code of its answer."""
    entry = Entry(Who(PRINCIPAL, "vapi", trace_id=own_trace_id(span)), action, checked.org_id, tool_call_id)
    if answer.is_done:
        return entry
    # The id of the call stays: Vapi gives it, and no caller says it.
    refused = entry.refused(answer.code)
    return Entry(refused.who, action, checked.org_id, tool_call_id, refused.result, refused.code)


def nobodys(answer: Answer, trace_id: str) -> Entry:
    """The row of a call of which nothing else is written."""
    entry = Entry(Who(PRINCIPAL, "vapi", trace_id=trace_id), Action.TOOL_CALL_RECEIVE)
    return entry.failed(answer.code) if answer is UNAVAILABLE else entry.refused(answer.code)
