"""What a description is made of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from tool_sync.vapi.rate_limit import PausedKey
from zerotouch_platform.text import printable
from zerotouch_platform.times import utc

Kind = Literal["clinic", "assistant", "tool", "rollout", "plan"]

CHANGES_SHOWN: Final = 10
NOT_LOOKED_AT: Final = ("Vapi itself: `tool-sync check --live`",)


@dataclass(frozen=True, slots=True)
class Description:
    """Lines of text. ``wrong`` is empty where nothing is known to be; ``further``: where to look, what to type."""

    kind: Kind
    title: str
    what: tuple[str, ...]
    wrong: tuple[str, ...]
    next: tuple[str, ...]
    changes: tuple[str, ...]
    further: tuple[str, ...]


def paused_lines(keys: Iterable[PausedKey]) -> list[str]:
    """Of a key that nothing can be sent with: everything waits for it."""
    return [
        f"Vapi's key is paused since {utc(key.since)}: {key.code} {key.title}. {key.who_acts}: {key.what_to_do}"
        for key in keys
    ]


def console_page(console_url: str | None, path: str) -> str:
    """The address of a page; without the host where nobody has said where the console is."""
    return f"console: {(console_url or '').rstrip('/')}/console{path}"


def description_lines(found: Iterable[Description]) -> Iterator[str]:
    """A heading for each part; a part that has nothing says so, as that is an answer, too."""
    for place, one in enumerate(found):
        if place:
            yield ""
        yield f"{one.kind.upper()} {printable(one.title)}"
        yield from _part("what it is", one.what, "nothing is known of it")
        yield from _part("what is wrong", one.wrong, f"nothing that is known; not looked at: {NOT_LOOKED_AT[0]}")
        yield from _part("what happens next", one.next, "nothing until a save, an order or a setting changes something")
        yield from _part("what was changed last", one.changes, "nothing")
        yield from _part("where to look further", one.further, "")


def _part(heading: str, lines: tuple[str, ...], nothing: str) -> Iterator[str]:
    yield heading
    yield from (f"  {printable(line)}" for line in lines or (nothing,))
