"""Is a tool at Vapi as it was sent? It may have defaults of Vapi's, and nothing that callers would hear."""

import pytest

from tool_sync.vapi.documents import holds_tool

SENT = {"type": "function", "function": {"name": "book"}}
SPOKEN = [{"type": "request-start", "content": "One moment."}]


@pytest.mark.parametrize("more", [{}, {"id": "t-1", "latestVersion": "v2"}, {"messages": []}, {"messages": None}])
def test_a_tool_with_what_vapi_adds_is_as_it_was_sent(more: dict[str, object]) -> None:
    assert holds_tool({**SENT, **more}, SENT)


def test_messages_that_somebody_added_are_a_change() -> None:
    assert not holds_tool({**SENT, "messages": SPOKEN}, SENT)


def test_messages_that_were_sent_are_to_be_there() -> None:
    sent = {**SENT, "messages": SPOKEN}
    assert holds_tool(sent, sent)
    assert not holds_tool({**SENT, "messages": []}, sent)
    assert not holds_tool(SENT, sent)
