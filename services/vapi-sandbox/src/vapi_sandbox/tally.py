"""The counters that assertions ask for: who made which tool how often, who wrote which assistant how often."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

from vapi_sandbox.answers import Reply
from vapi_sandbox.calls import Call
from vapi_sandbox.records import tool_facts

# (Vapi org, static parameter organization_id, function.name)
ToolKey = tuple[str, str | None, str | None]


class Tally:
    """Counts operations that took place, whether or not the caller was told."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start all counters at zero."""
        self._created: defaultdict[ToolKey, list[tuple[str, str]]] = defaultdict(list)
        self._assistants: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._writes: Counter[tuple[str, str]] = Counter()
        self._statuses: Counter[tuple[str, int | None]] = Counter()
        self._webhooks: Counter[tuple[str, int | None]] = Counter()
        self._calls: Counter[str] = Counter()

    def executed(self, call: Call, reply: Reply) -> None:
        """Count an operation that took place."""
        if reply.created is not None and call.route.kind != "traffic-allocation":
            document = json.loads(reply.body)
            if call.route.kind == "tool":
                facts = tool_facts(document)
                self._created[(call.vapi_org, facts.marker, facts.name)].append((reply.created, call.key))
            else:
                metadata = json.dumps(document.get("metadata"), sort_keys=True)
                self._assistants[(call.vapi_org, metadata)].append(reply.created)
        if call.route.operation in ("update", "delete"):
            self._writes[(call.route.name, call.id)] += 1

    def answered(self, route: str | None, status: int | None) -> None:
        """Count a request by its route and the status that went out (None: nothing did)."""
        self._statuses[(route or "other", status)] += 1

    def simulated(self, *, refused: bool) -> None:
        """Count a simulated call that came up, or one that did not."""
        self._calls["refused" if refused else "made"] += 1

    def webhook(self, url: str, status: int | None) -> None:
        """Count an attempt to deliver a webhook by its URL and the status that came back (None: none did)."""
        self._webhooks[(url, status)] += 1

    def document(self) -> dict[str, Any]:
        """Return the counters as JSON."""
        return {
            "tool_creations": [
                {
                    "vapi_org": vapi_org,
                    "organization_id": marker,
                    "tool_name": name,
                    "count": len(made),
                    "ids": [made_id for made_id, _ in made],
                    "by_key": dict(Counter(key for _, key in made)),
                }
                for (vapi_org, marker, name), made in self._created.items()
            ],
            "assistant_creations": [
                {"vapi_org": vapi_org, "metadata": json.loads(metadata), "count": len(ids), "ids": ids}
                for (vapi_org, metadata), ids in self._assistants.items()
            ],
            "assistant_writes": self._writes_of("PATCH /assistant/{id}"),
            "assistant_deletions": self._writes_of("DELETE /assistant/{id}"),
            "tool_writes": self._writes_of("PATCH /tool/{id}"),
            "tool_deletions": self._writes_of("DELETE /tool/{id}"),
            "requests": _by_status(self._statuses),
            "simulated_calls": {"made": self._calls["made"], "refused": self._calls["refused"]},
            "webhooks": _by_status(self._webhooks),
        }

    def _writes_of(self, route: str) -> dict[str, int]:
        return {written: count for (name, written), count in self._writes.items() if name == route}


def _by_status(counted: Counter[tuple[str, int | None]]) -> dict[str, dict[str, int]]:
    by_status: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (what, status), count in counted.items():
        by_status[what]["none" if status is None else str(status)] = count
    return dict(by_status)
