"""Ways to spoil a history in which another version of the tool was given to a few clinics, and then to all.

One of them was pinned for a while, one has a change window that was closed, and one a window that was open.
"""

import copy
import json
from datetime import datetime, timedelta
from typing import Any, Final

from tests.checker.dump import Dump, Row

AWAY: Final = 3
"""Hours."""


def decided_on_an_older_fleet(dump: Dump) -> None:
    """A clinic was updated on a fleet that had no such order."""
    started = _event(dump, "RolloutStarted")
    _edit(_update(dump), fleet_position=started["position"] - 1)


def written_for_another_order(dump: Dump) -> None:
    """An update names an order that does not give this version."""
    _edit(_update(dump), order="seed-bookClinicAppointment")


def stage_opened_early(dump: Dump) -> None:
    """The first stage holds a clinic that got the version only after its gate."""
    started, opened = _event(dump, "RolloutStarted"), _event(dump, "RolloutStageOpened")
    late = next(
        event for event in _all(dump, "ToolUpdated")
        if event["position"] > opened["position"] and json.loads(event["data_text"])["order"] is not None
    )  # fmt: skip
    stages = json.loads(started["data_text"])["stages"]
    stages[0]["orgs"].append(late["org_id"])
    _edit(started, stages=stages)


def clinic_left_behind(dump: Dump) -> None:
    """A clinic's tool still says at Vapi what it said before."""
    org = _update(dump)["org_id"]
    tools = [tool for found in dump.state["vapi_orgs"].values() for tool in found["tools"]]
    tool = next(tool for tool in tools if org in json.dumps(tool))
    tool["function"]["description"] = "What it said before."


def update_sent_twice(dump: Dump) -> None:
    """An update in place was sent again, though it had arrived."""
    sent = [entry for entry in dump.journal if entry["route"] == "PATCH /tool/{id}" and entry["executed"]]
    for _ in range(1 + sum(bool(line.get("pause")) for line in dump.ledger)):
        again = copy.deepcopy(sent[-1])
        again |= {"sequence": len(dump.journal) + 1, "executed_monotonic_seconds": 1e12}
        dump.journal.append(again)


def more_than_planned(dump: Dump) -> None:
    """The plan said that one clinic less would get it."""
    planned = _event(dump, "RolloutPlanned")
    counts = json.loads(planned["data_text"])["counts"]
    _edit(planned, counts={**dict.fromkeys(counts, 0), "update": counts["update"] - 1})


def written_outside_its_window(dump: Dump) -> None:
    """The window of the clinic that went first was closed when it was written to."""
    pilot, _ = _windows(dump)
    _long_ago(dump, pilot)
    _edit(pilot, opens=_clock(pilot, AWAY), closes=_clock(pilot, 2 * AWAY))


def nothing_came_when_it_opened(dump: Dump) -> None:
    """The window that was closed was open all the time, and its clinic has what it had."""
    _, shut = _windows(dump)
    _edit(shut, opens=_clock(shut, -AWAY), closes=_clock(shut, AWAY))


def pinned_and_moved(dump: Dump) -> None:
    """A clinic was given another version, and its pin has not ended."""
    dump.table("tool_sync.events").remove(_event(dump, "ToolPinExpired"))
    pinned = _event(dump, "ToolPinned")
    for each in _all(dump, "ToolPinned"):
        _long_ago(dump, each)
    _edit(pinned, until=_later(pinned, timedelta(days=30)))


def pin_ended_and_never_moved(dump: Dump) -> None:
    """A pin has had its time, long ago: nobody has said so, and the clinic stays where it was."""
    ended, pinned = _event(dump, "ToolPinExpired"), _event(dump, "ToolPinned")
    events = dump.table("tool_sync.events")
    mine = [e for e in events if e["org_id"] == ended["org_id"] and e["position"] >= ended["position"]]
    for event in mine:
        if event["type"] in ("ToolPinExpired", "ToolUpdateStarted", "ToolUpdated"):
            events.remove(event)
    _edit(pinned, until=_later(pinned, -timedelta(hours=1)))


def pin_ended_early(dump: Dump) -> None:
    """A pin was ended, and it had an hour left."""
    pinned = _event(dump, "ToolPinned")
    _edit(pinned, until=_later(pinned, timedelta(hours=1)))


def _windows(dump: Dump) -> tuple[Row, Row]:
    """Of the clinic that went first, and of the one that kept what it had."""
    updated = {event["org_id"] for event in _all(dump, "ToolUpdated")}
    pilot, shut = sorted(_all(dump, "ChangeWindowSet"), key=lambda event: event["org_id"] not in updated)
    return pilot, shut


def _long_ago(dump: Dump, event: Row) -> None:
    """Whoever wrote afterwards has read it, and what its clinic was before is long over."""
    for each in dump.table("tool_sync.events"):
        if each["org_id"] == event["org_id"] and each["position"] <= event["position"]:
            each["recorded_at_text"] = _later(each, -timedelta(minutes=5))


def _clock(event: Row, hours: int) -> str:
    return f"{datetime.fromisoformat(event['recorded_at_text']) + timedelta(hours=hours):%H:%M}"


def _later(event: Row, by: timedelta) -> str:
    return (datetime.fromisoformat(event["recorded_at_text"]) + by).isoformat()


def _all(dump: Dump, kind: str) -> list[Row]:
    return [event for event in dump.table("tool_sync.events") if event["type"] == kind]


def _event(dump: Dump, kind: str) -> Row:
    """The newest of its type that was not seeded."""
    found = [event for event in _all(dump, kind) if "seed-" not in event["data_text"]]
    return max(found, key=lambda event: int(event["position"]))


def _update(dump: Dump) -> Row:
    return _event(dump, "ToolUpdateStarted")


def _edit(event: Row, **fields: Any) -> None:
    event["data_text"] = json.dumps({**json.loads(event["data_text"]), **fields})
