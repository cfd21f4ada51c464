"""What our part of a system prompt says: the clinic's day, hours and services, one rule, and the tools that it reaches.

    At this clinic it is now {{"now" | date: …}}.     Vapi fills this in, at the beginning of every call
    This clinic's opening hours: …                    where the clinic told them
    This clinic's services: …
    Never say that …                                  the rule
    You can use the tools below. …                    where the newest outcome links some, in the version that it links

Where it stands in a prompt, and how it is found again, is in `prompt`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from assistant_api.appointments.clinic import WEEKDAYS
from assistant_api.appointments.zones import is_zone
from assistant_api.limits import BLOCK_CHARACTERS_MAX
from assistant_api.prompt.described import AnswerHeard, DescribedArgument, DescribedTool
from assistant_api.prompt.lines import (
    BEGIN,
    END,
    FIRST_LINE,
    HOURS,
    NOW,
    PERHAPS_UNANSWERED,
    RULE,
    SERVICES,
    UNANSWERED,
)
from assistant_api.prompt.plain import plain

HOURS_CHARACTERS_MAX: Final = 1_000
SERVICE_CHARACTERS_MAX: Final = 80
SERVICES_CHARACTERS_MAX: Final = 8_400
"""All that the API takes: a hundred of 80 characters. A row that was written by SQL may have more."""

# LiquidJS, as Vapi documents it for the time in another zone than UTC (dynamic variables, read 2026-11-28). The day is
# written as the tools want it.
_LIQUID: Final = '{{{{"now" | date: "%A, %Y-%m-%d, %H:%M", "{zone}"}}}}'
_HEARD: Final[Mapping[AnswerHeard, list[str]]] = {"always": [], "never": [UNANSWERED], "perhaps": [PERHAPS_UNANSWERED]}


@dataclass(frozen=True, slots=True)
class ClinicFacts:
    """What a clinic's row says of its days. As it is in the row: plain SQL may have written anything."""

    time_zone: str
    opening_hours: Any = None
    services: Collection[str] | None = None


def prompt_block(clinic: ClinicFacts, tools: Iterable[DescribedTool]) -> str:
    """The marked block, which names these tools; the same facts give the same bytes.

    What makes it too long is left out of what is said of tools, which have it themselves: arguments, then descriptions.
    """
    zone = clinic.time_zone if is_zone(clinic.time_zone) else "UTC"
    hours, services = _hours(clinic.opening_hours), _services(clinic.services or ())
    lines = [BEGIN, f"{NOW}{_LIQUID.format(zone=zone)} (time zone {zone})."]
    lines += [f"{HOURS}{hours}."] if hours else []
    lines += [f"{SERVICES}{services}."] if services else []
    lines.append(RULE)
    room = BLOCK_CHARACTERS_MAX - len("\n".join([*lines, END]))
    return "\n".join([*lines, *_tools(tuple(tools), room), END])


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


def _tools(tools: tuple[DescribedTool, ...], room: int) -> list[str]:
    if not tools:
        return []
    room -= len(FIRST_LINE) + 1
    tools = _named(tools, room)
    room -= sum(map(_bare_length, tools))
    said = [FIRST_LINE]
    for tool in tools:
        heading, *heard = _bare(tool)
        described, arguments = heading + tool.description, [_argument(one) for one in tool.arguments]
        if len(tool.description) > room:
            described, arguments = heading, []
        room -= len(described) - len(heading)
        if _length(arguments) > room:
            arguments = []
        room -= _length(arguments)
        said += ["", described.rstrip(), *heard, *arguments]
    return said


def _named(tools: tuple[DescribedTool, ...], room: int) -> tuple[DescribedTool, ...]:
    """The tools that there is room to name: before others those of which the model must know that it may not wait."""
    named = []
    for tool in sorted(tools, key=lambda one: one.answer_heard == "always"):
        if (length := _bare_length(tool)) <= room:
            room -= length
            named.append(tool)
    return tuple(tool for tool in tools if tool in named)


def _bare(tool: DescribedTool) -> list[str]:
    return [f"{tool.name}: ", *_HEARD[tool.answer_heard]]


def _bare_length(tool: DescribedTool) -> int:
    return _length(["", *_bare(tool)])


def _length(lines: Iterable[str]) -> int:
    """With the end of each line."""
    return sum(len(line) + 1 for line in lines)


def _argument(one: DescribedArgument) -> str:
    return f"- {one.name} ({'required' if one.required else 'optional'}): {one.description}".rstrip(": ")
