"""Answers for people: why an org has a tool or lacks it, what happened to an assistant, and what happens next.

::

    moment     an org's state now, or as it was at a time: a fold of the log, like the reconciler's own
    story      the events that concern one tool or one assistant, with their traces
    outlook    what happens next, and when; whether anything may be called as wanted
    tool       why(org, tool)
    assistant  explain(assistant)

Everything is read from the log and its projections; nothing here decides or writes.
"""

from tool_sync.queries.explain.as_of import BeforeFirstEvent, StateAsOf, blueprint_of, place_of, state_as_of
from tool_sync.queries.explain.assistant import AssistantExplained, explain_assistant, find_assistants
from tool_sync.queries.explain.next_action import NextAction, Reason
from tool_sync.queries.explain.tool import ToolExplained, UnknownTool, explain_tool

__all__ = [
    "AssistantExplained",
    "BeforeFirstEvent",
    "NextAction",
    "Reason",
    "StateAsOf",
    "ToolExplained",
    "UnknownTool",
    "blueprint_of",
    "explain_assistant",
    "explain_tool",
    "find_assistants",
    "place_of",
    "state_as_of",
]
