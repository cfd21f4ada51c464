"""A dump, made ready for the rules: events in order, messages read, requests and outcomes by id, Vapi replayed."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from tests.checker import vapi
from tests.checker.dump import LOST_LOG, LOST_ROWS, Dump, Row
from tests.checker.wire import Message, message_of

OUTCOME_EVENTS = ("AssistantSynced", "AssistantSyncFailed")
PUBLISHED_EVENTS = (*OUTCOME_EVENTS, "AssistantDiverged")


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the log; `data` and `meta` are read from the text that the hash covers."""

    row: Row
    data: Row
    meta: Row

    @property
    def position(self) -> int:
        """Its place in the log."""
        return int(self.row["position"])

    @property
    def org(self) -> str | None:
        """The organization."""
        return self.row["org_id"]  # type: ignore[no-any-return]

    @property
    def type(self) -> str:
        """The type's name."""
        return str(self.row["type"])

    @property
    def id(self) -> str:
        """The event's id."""
        return str(self.row["event_id"])

    def brief(self) -> Row:
        """What a counter-example shows."""
        return {name: self.row[name] for name in ("position", "stream", "version", "type", "event_id", "data_text")}


class History:
    """Everything that several rules ask for, computed once."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        self.settings = dump.settings
        self.installation: str = next(iter(dump.table("tool_sync.installation")))["installation_id"]

    def ledger(self, kind: str) -> list[Row]:
        """The ledger's lines of one kind."""
        return [line for line in self.dump.ledger if line["kind"] == kind]

    @cached_property
    def told(self) -> dict[tuple[str, str], list[Row]]:
        """What each (org, agent) was told by operations that were not refused."""
        found: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for op in self.ledger("op"):
            if op.get("prompt") and op["state"] != "fail":
                found[op["org"], op["agent"]].append(op)
        return found

    @cached_property
    def events(self) -> list[Event]:
        """The log in the order of positions."""
        return self._events("tool_sync")

    @cached_property
    def logs(self) -> dict[str, list[Event]]:
        """Every log that was published from, by its id: those that were lost, oldest first, then the one that stands.

        A log that was set back and kept its id has lost what it said: only what stands is here.
        """
        found = {self._log_id(part): self._events(part) for part in self._former(LOST_LOG)}
        found.pop(self._log_id("tool_sync"), None)
        return {**found, self._log_id("tool_sync"): self.events}

    @cached_property
    def ended(self) -> float:
        """The time of the newest that is known of the run; seconds since 1970."""
        written = [datetime.fromisoformat(event.row["recorded_at_text"]).timestamp() for event in self.events]
        happened = [line.get("ended") or line.get("at") or 0.0 for line in self.dump.ledger]
        return max([*written, *happened, *(record["at"] for record in self.dump.records)], default=0.0)

    def events_of(self, *types: str) -> list[Event]:
        """The events of these types, in order."""
        return [event for event in self.events if event.type in types]

    @cached_property
    def messages(self) -> list[Message]:
        """All records, each topic partition by partition in order: what is gone was there before what is left."""
        messages = (message_of(record) for record in self.dump.records)
        return sorted(messages, key=lambda m: (m.topic, m.partition, m.gone is None, m.offset))

    @cached_property
    def input(self) -> list[Message]:
        """What is on the input topic."""
        return [message for message in self.messages if message.topic == self.settings["input_topic"]]

    @cached_property
    def output(self) -> list[Message]:
        """What is on the outcomes topic."""
        return [message for message in self.messages if message.topic == self.settings["output_topic"]]

    @cached_property
    def outcomes_by_request(self) -> dict[str, list[Event]]:
        """The outcome events that name a request."""
        found: dict[str, list[Event]] = defaultdict(list)
        for event in self.events_of(*OUTCOME_EVENTS):
            for request in event.data.get("requests") or []:
                found[str(request["request_id"])].append(event)
        return found

    @cached_property
    def taken_in(self) -> dict[tuple[str, str], set[str]]:
        """The types of the events that a record has become, by its organization and id."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for event in self.events:
            found[event.org or "", str(event.meta.get("causation_id"))].add(event.type)
        return found

    @cached_property
    def saves(self) -> dict[str, Row]:
        """Every save's row by its request: a database that a restore put another one in place of had it too."""
        parts = (*self._former(LOST_ROWS), "assistant_api")
        return {row["request_id"]: row for part in parts for row in self.dump.table(f"{part}.saves")}

    @cached_property
    def newest_outcome(self) -> dict[tuple[str, str], Event]:
        """The newest outcome event of each (org, agent)."""
        return {
            (event.org or "", event.data["agent_id"]): event
            for event in self.events_of(*OUTCOME_EVENTS)
            if event.data.get("agent_id") is not None
        }

    @cached_property
    def removed(self) -> dict[tuple[str, str], int]:
        """(org, agent) -> position of its newest removal."""
        return {(e.org or "", e.data["agent_id"]): e.position for e in self.events_of("AssistantRemoved")}

    @cached_property
    def closed_orgs(self) -> frozenset[str]:
        """Organizations that were deleted."""
        return frozenset(event.org or "" for event in self.events_of("OrgClosed"))

    @cached_property
    def agents(self) -> dict[tuple[str, str], Row]:
        """The agents' rows, by (org, id)."""
        return {(row["org_id"], row["id"]): row for row in self.dump.table("assistant_api.agents")}

    @cached_property
    def ours(self) -> dict[int, bool]:
        """By sequence of the journal: whether one of the services sent the request."""
        keys = self.settings["service_keys"]
        edits = {(line["assistant"], line["sha256"]) for line in self.ledger("edit")}
        return {
            entry["sequence"]: entry["origin"] == "client"
            and (keys is None or entry["key"] in keys)
            and (entry["path"].rpartition("/")[2], entry["body_sha256"]) not in edits
            for entry in self.dump.journal
        }

    @cached_property
    def foreign_writes(self) -> list[Row]:
        """What somebody else had Vapi do."""
        return [
            entry
            for entry in self.dump.journal
            if entry["executed"] and entry["method"] != "GET" and not self.ours[entry["sequence"]]
        ]

    @cached_property
    def vapi(self) -> vapi.Vapi:
        """The journal, replayed."""
        return vapi.replay(self.dump.journal, self.installation, self.ours)

    @cached_property
    def live_tools(self) -> dict[str, Row]:
        """Every tool in the sandbox, by id."""
        return self._live("tool")

    @cached_property
    def live_assistants(self) -> dict[str, Row]:
        """Every assistant in the sandbox, by id."""
        return self._live("assistant")

    def _former(self, prefix: str) -> list[str]:
        """The databases that are no more, oldest first."""
        numbers = {int(n.partition(".")[0].removeprefix(prefix)) for n in self.dump.tables if n.startswith(prefix)}
        return [f"{prefix}{number}" for number in sorted(numbers)]

    def _events(self, part: str) -> list[Event]:
        rows = sorted(self.dump.table(f"{part}.events"), key=lambda row: row["position"])
        return [Event(row, _json(row["data_text"]), _json(row["meta_text"])) for row in rows]

    def _log_id(self, part: str) -> str:
        return str(next(iter(self.dump.table(f"{part}.log")))["log_id"])

    def _live(self, kind: str) -> dict[str, Row]:
        return {item["id"]: item for found, item in vapi.live(self.dump.state) if found == kind}


def percentile(values: Iterable[float], share: float) -> float | None:
    """The value below which this share of the values lies; None without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def _json(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
