"""What failures are counted under: a tool, an assistant, a surplus tool, the sweep or the search.

The text of a subject is in events, snapshots and tables, so it never changes. Only this module knows how it is made.
"""

from typing import Final, NewType

Subject = NewType("Subject", str)

SWEEP_SUBJECT: Final = Subject("sweep")
SEARCH_SUBJECT: Final = Subject("search")

_TOOL: Final = "tool:"
_AGENT: Final = "agent:"
_SURPLUS: Final = "surplus:"


def tool_subject(name: str) -> Subject:
    """A tool of the org, by name."""
    return Subject(_TOOL + name)


def agent_subject(agent_id: str) -> Subject:
    """An assistant, by its agent: the agent may have another assistant by now."""
    return Subject(_AGENT + agent_id)


def surplus_subject(vapi_tool_id: str) -> Subject:
    """A surplus tool, by its id at Vapi: it has no name of its own."""
    return Subject(_SURPLUS + vapi_tool_id)


def is_tool(subject: str) -> bool:
    """Whether it is a tool of the org."""
    return subject.startswith(_TOOL)


def agent_of(subject: str) -> str | None:
    """The agent of an assistant's subject; None where it is another kind."""
    return subject[len(_AGENT) :] if subject.startswith(_AGENT) else None
