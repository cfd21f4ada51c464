"""I18: an assistant is made with tools that its clinic has by its newest outcomes, young ones, and with no others."""

from datetime import datetime, timedelta
from typing import Any

from tests.checker.dump import Row
from tests.checker.history import Event, History
from tests.checker.vapi import assistant_key, linked
from tests.checker.verdict import Result

BEHIND_SECONDS_MAX = 90.0
"""For how long an outcome may be taken for the newest one: a minute by the service's rule, and the way to Vapi."""
GRACE_SECONDS = 86_400.0


def check(history: History) -> Result:
    """Judge every creation of an assistant by a service: with tools or, as always may be, without."""
    result = Result("I18", "assistants are made with their clinic's own tools, as its newest outcomes name them")
    made_with = 0
    for entry in history.dump.journal:
        if entry["route"] != "POST /assistant" or not history.ours[entry["sequence"]]:
            continue
        key = assistant_key(entry["body"] or {}, history.installation)
        if key is None:
            continue
        result.judged += 1
        ids = linked(entry["body"])[0]
        made_with += bool(ids)
        known = {tool for event in _outcomes(history, key.org, _at(entry)) for tool in _tools(event)} if ids else set()
        if unknown := sorted(set(ids) - known):
            result.broken(
                "an assistant is made with a tool that no newest outcome of its clinic names",
                journal=entry["sequence"], org=key.org, agent=key.name, tools=unknown,
            )  # fmt: skip
    result.figures["assistants made with known tools"] = made_with
    return result


def _outcomes(history: History, org: str, at: datetime) -> list[Event]:
    """Those that may have been the newest one that was heard of at that time, by any log, and young enough."""
    found: list[Event] = []
    for events in history.logs.values():
        mine = [e for e in events if e.org == org and e.data.get("sequence") and e.type.startswith("AssistantSync")]
        told = [event for event in mine if _time(event) <= at]
        late = [event for event in told if _time(event) >= at - timedelta(seconds=BEHIND_SECONDS_MAX)]
        found += late or told[-1:]
        found += told[-len(late) - 1 : -len(late)] if late else []
    youngest = at - timedelta(seconds=GRACE_SECONDS / 4 + BEHIND_SECONDS_MAX)
    return [event for event in found if event.type == "AssistantSynced" and _time(event) >= youngest]


def _tools(event: Event) -> set[str]:
    tools: list[dict[str, Any]] = event.data.get("tools") or []
    return {str(tool["vapi_tool_id"]) for tool in tools}


def _time(event: Event) -> datetime:
    return datetime.fromisoformat(event.row["recorded_at_text"])


def _at(entry: Row) -> datetime:
    return datetime.fromisoformat(entry["at"])
