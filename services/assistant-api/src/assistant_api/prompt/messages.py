"""Where our block stands among the messages of an assistant's model.

    [{"role": "system", "content": "You are …\\n\\n<block>"}, …]           in the clinic's text, below it
    [{"role": "system", "content": [<parts>]}, {…, "content": "<block>"}]  beside what is no text

A system message whose content is no text (a list of parts, null) is not ours to rewrite, and neither is a message of
another role, whatever stands in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from assistant_api.prompt.lines import is_marked, with_block, without_block

LEGACY_PROMPT: Final = "systemPrompt"
"""Of `model`: what the system message was called before there were messages; deprecated by Vapi, and still stored."""


def with_tools(messages: Sequence[Any], system_prompt: str | None, block: str) -> list[Any]:
    """``messages`` with one block of ours; doing it again changes nothing.

    It goes into the message that has it already, else into the first system message, if that is text, else into one of
    its own beside it. ``system_prompt`` replaces the words of that message; None leaves them. Further blocks, as copies
    of assistants have them, are taken out.
    """
    systems = [place for place, message in enumerate(messages) if _is_system(message)]
    marked = [place for place in systems if is_marked(_text(messages[place]) or "")]
    ours = next(iter(marked or systems), None)
    if ours is None or _text(messages[ours]) is None:
        added = {"role": "system", "content": with_block(system_prompt or "", block)}
        after = 0 if ours is None else ours + 1
        return [*messages[:after], added, *messages[after:]]
    words = _text(messages[ours]) if system_prompt is None else system_prompt
    whole = {**messages[ours], "content": with_block(words or "", block)}
    return [*without_tools(messages[:ours]), whole, *without_tools(messages[ours + 1 :])]


def without_tools(messages: Iterable[Any]) -> list[Any]:
    """``messages`` without what is ours: blocks, and system messages that were nothing else."""
    kept: list[Any] = []
    for message in messages:
        text = _text(message) if _is_system(message) else None
        words = text if text is None else without_block(text)
        if words == text:
            kept.append(message)
        elif words:
            kept.append({**message, "content": words})
    return kept


def _is_system(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("role") == "system"


def _text(message: Mapping[str, Any]) -> str | None:
    content = message.get("content")
    return content if isinstance(content, str) else None
