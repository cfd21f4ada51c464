"""What another team needs to look at a clinic's trouble, as files of text; without what that team must not have.

Nothing of a patient, no prompt, no secret and no name is in the log (invariants 12 and 26). What may hold such a thing
all the same is what somebody typed or Vapi said: reasons and notes are left out, and of Vapi's words only those of
the console's closed list are let through.
"""

import platform
import re
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic_core import to_json

from tool_sync import db
from tool_sync.admin.describing.clinic import describe_clinic
from tool_sync.admin.describing.page import description_lines
from tool_sync.db import Connection
from tool_sync.log.head import read_head
from tool_sync.log.read import read_fleet
from tool_sync.outcomes.published import ALL
from tool_sync.queries.as_of import fleet_of, state_as_of
from tool_sync.queries.failures import list_failures
from tool_sync.queries.standing import leaders, projections_at, signed_through, topics_read, used_this_minute
from tool_sync.queries.timeline import TimelineEntry, history_of
from tool_sync.queries.waiting import backlog
from tool_sync.release import SERVICE_VERSION
from tool_sync.vapi.masked import masked
from tool_sync.vapi.rate_limit import paused_keys
from tool_sync.vapi.words import read_words
from zerotouch_platform.settings import SettingShown
from zerotouch_platform.times import utc

EVENTS_MAX: Final = 5_000
PAGE_EVENTS: Final = 1_000
WORDS_MAX: Final = 200
FAILURES_MAX: Final = 500
METRICS_BYTES_MAX: Final = 1_000_000
TYPED_CHARACTERS_MIN: Final = 4
LEFT_OUT: Final = "(left out)"

_CODED: Final = frozenset({"AssistantSynced", "ToolRetired"})
"""Whose ``reason`` is one of a closed list, and nobody's words."""
_TYPED: Final = ("reason", "note")
_LABEL: Final = (
    r"""[a-z_]+="(?:[a-z_.]{0,40}|[0-9.]{1,6}|\+Inf|[A-Z]{2}-[0-9]{3}|(?:GET|POST|PATCH|DELETE) /[a-z/{}-]{0,60})\""""
)
_METRIC: Final = re.compile(
    rf"(?:# TYPE zerotouch_[a-z0-9_]+ [a-z]+|zerotouch_[a-z0-9_]+(?:\{{{_LABEL}(?:,{_LABEL})*\}})? (?:[0-9.eE+-]+|NaN))"
)
"""A type, or a figure whose labels are words of a program, error codes, routes and bounds."""
ALWAYS_LEFT_OUT: Final = (
    "what people typed: reasons, notes, and what clinics and assistants are called",
    "what Vapi said, but for the words in which validators speak",
    "secrets: settings show ******** in their place",
    "log lines and traces: they are in the systems that collect them",
    "records of Kafka that could not be read: `tool-sync dead-letters show ID`",
    "everything of other clinics, and of assistant-api: patients, appointments, prompts",
)


@dataclass(frozen=True, slots=True)
class SupportBundle:
    """Files by name, and, sentence by sentence, what is not in them."""

    files: Mapping[str, bytes]
    left_out: tuple[str, ...]


async def make_bundle(
    connection: Connection,
    org_id: UUID,
    *,
    settings: tuple[SettingShown, ...] | None,
    metrics: str | None,
    now: datetime,
) -> SupportBundle:
    """Of a clinic that is known, in one snapshot. ``settings`` and ``metrics`` None: they could not be had."""
    events, is_cut = await _events(connection, org_id)
    typed = {text for event in events for text in _typed_in(event)} | await _typed_of_fleet(connection)
    files: dict[str, bytes] = {
        "describe.txt": "\n".join([line async for line in _described(connection, org_id, typed)]).encode(),
        "events.jsonl": b"\n".join(to_json(_untyped(event)) for event in events),
        "vapi-words.json": to_json(await _words(connection, org_id), indent=2),
        "failures.json": to_json(
            await list_failures(connection, org_id=org_id, code=None, since=None, limit=FAILURES_MAX), indent=2
        ),
        "service.json": to_json(await _service(connection), indent=2),
    }
    left_out = list(ALWAYS_LEFT_OUT)
    if is_cut:
        left_out.append(f"older events: the newest {EVENTS_MAX:,} are here, `tool-sync history {org_id}` has all")
    if settings is None:
        left_out.append("settings: this shell has not those of the service, or they are wrong (`tool-sync doctor`)")
    else:
        files["settings.json"] = to_json(settings, indent=2)
    if metrics is None:
        left_out.append("metrics: TOOL_SYNC_URL names no tool-sync that answers")
    else:
        files["metrics.txt"] = "\n".join(figures_of(metrics)).encode()
    files = {"README.txt": "\n".join(_readme(org_id, files, left_out, now)).encode(), **files}
    return SupportBundle(files, tuple(left_out))


def _readme(org_id: UUID, files: Mapping[str, bytes], left_out: list[str], now: datetime) -> Iterator[str]:
    yield f"Support bundle of clinic {org_id}, made {utc(now)} by tool-sync {SERVICE_VERSION}."
    yield "describe.txt is where to begin. Times are UTC."
    yield f"In it: {', '.join(files)}."
    yield "Ids, error codes, and the logins of operators and of callers of HTTP are in it as they are."
    yield "Left out:"
    yield from (f"- {what}" for what in left_out)


async def _events(connection: Connection, org_id: UUID) -> tuple[list[TimelineEntry], bool]:
    """The newest, oldest first; whether there are older ones."""
    newest = deque[TimelineEntry](maxlen=EVENTS_MAX)
    after: int | None = 0
    count = 0
    while after is not None:
        page = await history_of(connection, org_id, after=after, limit=PAGE_EVENTS)
        assert page is not None, "the clinic is known"
        newest.extend(page.events)
        count += len(page.events)
        after = page.next_after
    return list(newest), count > len(newest)


def _typed_in(event: TimelineEntry) -> Iterator[str]:
    for name in _TYPED:
        if event.type not in _CODED and isinstance(text := event.data.get(name), str) and text.strip():
            yield text


def _untyped(event: TimelineEntry) -> TimelineEntry:
    if event.type in _CODED:
        return event
    shown = {name: LEFT_OUT if name in _TYPED and value else value for name, value in event.data.items()}
    return replace(event, data=shown)


async def _typed_of_fleet(connection: Connection) -> set[str]:
    """What people typed of tools and rollouts, which sentences about a clinic repeat."""
    events = [stored.event for stored in await read_fleet(connection)]
    return {text for event in events for name in _TYPED if (text := getattr(event, name, None)) and text.strip()}


async def _described(connection: Connection, org_id: UUID, typed: set[str]) -> AsyncIterator[str]:
    fleet, paused = await fleet_of(connection), await paused_keys(connection)
    moment = await state_as_of(connection, org_id, fleet, None, paused)
    described = await describe_clinic(connection, moment, None, with_names=False)
    longest_first = sorted(typed, key=len, reverse=True)  # as one may hold another
    for line in description_lines([described]):
        yield without_typed(line, longest_first)


def without_typed(line: str, typed: Sequence[str]) -> str:
    """A few letters stand in many words: they are left out where a reason stands, behind a colon."""
    for text in typed:
        if len(text) >= TYPED_CHARACTERS_MIN:
            line = line.replace(text, LEFT_OUT)
        else:
            line = re.sub(rf": {re.escape(text)}(?!\w)", f": {LEFT_OUT}", line)
    return line


async def _words(connection: Connection, org_id: UUID) -> list[dict[str, Any]]:
    found = await read_words(connection, org_id=org_id, agent_id=None, trace_id=None, limit=WORDS_MAX)
    shown = ("at", "agent_id", "code", "route", "status", "times", "trace_id")
    return [{name: getattr(one, name) for name in shown} | {"words": masked(one.words)} for one in found]


async def _service(connection: Connection) -> dict[str, Any]:
    leading = await leaders(connection, [published.lock_key for published in ALL])
    return {
        "tool_sync": SERVICE_VERSION,
        "python": platform.python_version(),
        "postgresql": str(connection.get_settings().server_version),
        "log_id": await db.read_log_id(connection),
        "head": await read_head(connection),
        "signed_through": await signed_through(connection),
        "backlog": await backlog(connection),
        "read_tables": dict(await projections_at(connection)),
        "topics": await topics_read(connection),
        "publishes": {published.name: leading.get(published.lock_key) for published in ALL},
        "paused_keys": [replace(key, fingerprint=key.fingerprint[:8]) for key in await paused_keys(connection)],
        "used_this_minute": await used_this_minute(connection),
    }


def figures_of(page: str) -> Iterator[str]:
    """The lines that are figures of ours: whoever answered at that address may be somebody else."""
    return (line for line in page[:METRICS_BYTES_MAX].splitlines() if _METRIC.fullmatch(line))
