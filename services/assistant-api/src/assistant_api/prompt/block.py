"""What our part of a system prompt says: the clinic's day, hours and services, one rule, and the tools that it reaches.

    At this clinic it is now {{"now" | date: …}}.     Vapi fills this in, at the beginning of every call
    This clinic's opening hours: …                    where the clinic told them
    This clinic's services: …
    Never say that …                                  the rule
    You can use the tools below. …                    where the newest outcome links some, in the version that it links

Where it stands in a prompt, and how it is found again, is in `prompt`.
"""

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from assistant_api.appointments.clinic import WEEKDAYS
from assistant_api.appointments.zones import is_zone
from assistant_api.prompt.lines import BEGIN, END, FIRST_LINE, HOURS, NOW, RULE, SERVICES, UNANSWERED
from zerotouch_contracts.tools import ToolDefinition

HOURS_CHARACTERS_MAX: Final = 1_000
SERVICE_CHARACTERS_MAX: Final = 80
SERVICES_CHARACTERS_MAX: Final = 8_400
"""All that the API takes: a hundred of 80 characters. A row that was written by SQL may have more."""

# LiquidJS, as Vapi documents it for the time in another zone than UTC (dynamic variables, read 2026-11-28). The day is
# written as the tools want it.
_LIQUID: Final = '{{{{"now" | date: "%A, %Y-%m-%d, %H:%M", "{zone}"}}}}'
# No brace of a clinic's is left, so nothing of it is evaluated, whatever stands beside it; nor a marker of a block.
_DEFUSED: Final = (("{", "("), ("}", ")"), ("<!--", "("), ("-->", ")"))


@dataclass(frozen=True, slots=True)
class ClinicFacts:
    """What a clinic's row says of its days. As it is in the row: plain SQL may have written anything."""

    time_zone: str
    opening_hours: Any = None
    services: Collection[str] | None = None


def prompt_block(clinic: ClinicFacts, definitions: Iterable[ToolDefinition]) -> str:
    """The marked block, which names the tools of ``definitions``; the same facts give the same bytes."""
    zone = clinic.time_zone if is_zone(clinic.time_zone) else "UTC"
    hours, services = _hours(clinic.opening_hours), _services(clinic.services or ())
    lines = [BEGIN, f"{NOW}{_LIQUID.format(zone=zone)} (time zone {zone})."]
    lines += [f"{HOURS}{hours}."] if hours else []
    lines += [f"{SERVICES}{services}."] if services else []
    lines += [RULE, *_tools(tuple(definitions))]
    return "\n".join([*lines, END])


def plain(text: str) -> str:
    """A clinic's words in one line, with nothing in them that Vapi, or whoever looks for our block, would act on."""
    for mark, harmless in _DEFUSED:
        text = text.replace(mark, harmless)
    shown = (" " if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} or _turns(char) else char for char in text)
    return " ".join("".join(shown).split())


def _turns(char: str) -> bool:
    """Whether a character changes the direction of what follows it."""
    return char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def _hours(week: object) -> str:
    """Opening hours by weekday; '' where there are none, or where a row has them in no form that we know."""
    if not isinstance(week, Mapping):
        return ""
    days = [_day(name, week.get(name, [])) for name in WEEKDAYS]
    told = "; ".join(day for day in days if day is not None)
    return told if None not in days and len(told) <= HOURS_CHARACTERS_MAX else ""


def _day(name: str, intervals: object) -> str | None:
    """A day's openings in words; None where they cannot be read."""
    if not isinstance(intervals, list):
        return None
    pairs = [item for item in intervals if isinstance(item, list) and len(item) == 2]
    if len(pairs) < len(intervals) or not all(isinstance(end, str) for pair in pairs for end in pair):
        return None
    openings = " and ".join(f"{plain(opens)} to {plain(closes)}" for opens, closes in pairs)
    return f"{name.capitalize()} {openings or 'closed'}"


def _services(services: Iterable[str]) -> str:
    """As many services as fit, and how many do not; separated by semicolons, as a name may have a comma."""
    names = [name for service in services if (name := plain(service)[:SERVICE_CHARACTERS_MAX].rstrip())]
    shown: list[str] = []
    characters = 0
    for name in names:
        characters += len(name) + 2
        if characters > SERVICES_CHARACTERS_MAX:
            break
        shown.append(name)
    rest = len(names) - len(shown)
    return "; ".join([*shown, f"and {rest} more"] if rest else shown)


def _tools(definitions: tuple[ToolDefinition, ...]) -> list[str]:
    lines = [FIRST_LINE] if definitions else []
    for definition in definitions:
        schema = definition.parameters_schema()
        required = set(schema["required"])
        lines += ["", f"{definition.name}: {definition.description}"]
        lines += [UNANSWERED] if definition.asynchronous else []
        lines += [
            f"- {name} ({'required' if name in required else 'optional'}): {spec.get('description', '')}".rstrip(": ")
            for name, spec in schema["properties"].items()
        ]
    return lines
