"""A clinic's own words for parts of its tool: of each part the hash of its text, never the text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CustomPart:
    """Words for one part that a version may declare open, such as ``messages`` or ``static_parameters.greeting``.

    ``hash`` finds the text in ``org_tool_texts``; ``characters`` is its length.
    """

    part: str
    hash: str
    characters: int


@dataclass(frozen=True, slots=True)
class ToolCustomized:
    """A clinic's tool was switched off or on, with words of its own for these parts: a whole setting, as
    ``ToolSettingChanged`` is one without words. By name of the part; there is at least one."""

    name: str
    enabled: bool
    reason: str | None
    parts: tuple[CustomPart, ...]


@dataclass(frozen=True, slots=True)
class ToolTextLost:
    """Texts of these hashes were to be sent and are not stored any more: the tool goes on without these parts.

    ``set_at`` is the position of the setting whose words they were, null in old events: the same words may have been
    set again since, and are stored then.
    """

    name: str
    hashes: tuple[str, ...]
    set_at: int | None = None
