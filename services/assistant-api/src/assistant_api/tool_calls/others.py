"""What else Vapi sends to the same URL: 200, a line in the log for each kind, and an answer where a call waits for one.

A phone number, an organization or an assistant may have our address as its server. What is asked there is not ours to
decide, so the answer is a refusal in the form that Vapi documents (OpenAPI, `ServerMessageResponse`, read 2026-11-28):
the caller hears a sentence, rather than nothing until a timeout.
"""

import re
from typing import Any, Final

import structlog

KINDS_LOGGED_MAX: Final = 64
"""Vapi documents 30; whoever makes up more is not told of."""

_KIND: Final = re.compile(r"[a-z][A-Za-z.-]{0,40}")

_ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "assistant-request": {
        "error": "This number is not set up to answer calls yet. Please call the clinic again later."
    },
    "transfer-destination-request": {"error": "This call cannot be transferred. Say that the clinic will call back."},
    "handoff-destination-request": {"error": "This call cannot be handed over. Say that the clinic will call back."},
    "knowledge-base-request": {"documents": []},
}

_log: Final = structlog.get_logger()


class OtherMessages:
    """The kinds of messages that came, besides tool calls."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def answer(self, kind: str) -> dict[str, Any]:
        """The answer to a message of ``kind``; the first of each is logged, without anything of what is in it."""
        plain = kind.partition("[")[0]  # transcript[transcriptType="final"]
        name = plain if _KIND.fullmatch(plain) else "unreadable"
        if name not in self._logged and len(self._logged) < KINDS_LOGGED_MAX:
            self._logged.add(name)
            _log.info("vapi_message_of_another_kind", kind=name, answered=name in _ANSWERS)
        return _ANSWERS.get(name, {"results": []})
