"""Traffic splits: which of an assistant's versions takes a call (public beta; Python SDK 3.0.0, docs, read 2026-11-28).

The history of an assistant's allocations only grows, and the newest one governs. An `explicit` one sends callers to the
versions that it names, whatever is published later; with `follow-latest`, or without any, all callers get the newest
version. The same caller always gets the same version.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

from vapi_sandbox.clock import iso_ms
from vapi_sandbox.records import Resource

Intent = Literal["explicit", "follow-latest"]
TARGETS_MAX = 5
# Percentages have three decimal places, so a caller has one of this many places.
_PLACES = 100_000


@dataclass(frozen=True, slots=True)
class Target:
    """A version and its share of the callers, in thousandths of a percent. The version is kept here for good."""

    version: Resource
    share: int

    @property
    def percentage(self) -> float:
        """Return the share as it was given: `10`, or `12.5`."""
        return self.share // 1000 if self.share % 1000 == 0 else self.share / 1000


@dataclass(frozen=True, slots=True)
class Allocation:
    """One row of an assistant's history. `actor_id` stands for the key that made it; None: the API itself did."""

    id: str
    vapi_org: str
    assistant_id: str
    intent: Intent
    created_ms: int
    targets: tuple[Target, ...]
    actor_id: str | None = None
    description: str | None = None

    def document(self) -> dict[str, Any]:
        """Return it as the API does; what is absent is left out."""
        optional = {"actorId": self.actor_id, "description": self.description}
        return {
            "id": self.id,
            "orgId": self.vapi_org,
            "assistantId": self.assistant_id,
            "allocationIntent": self.intent,
            "createdAt": iso_ms(self.created_ms),
            "actorType": "system" if self.actor_id is None else "api-key",
            **{name: value for name, value in optional.items() if value is not None},
            "targets": [
                {"assistantVersion": target.version.label, "position": position, "percentage": target.percentage}
                for position, target in enumerate(self.targets)
            ],
        }

    def version_for(self, caller: str) -> Resource | None:
        """Return the version that a caller gets; None where that is the newest one.

        The place of a caller depends on the assistant and its number alone, so raising the share of the last target
        moves as few callers as possible (our choice; the real way is not published).
        """
        digest = hashlib.sha256(f"{self.assistant_id}:{caller}".encode(errors="replace")).digest()
        place = int.from_bytes(digest[:8]) % _PLACES
        for target in self.targets:
            if place < target.share:
                return target.version
            place -= target.share
        return None


class Splits:
    """The allocations of all assistants, oldest first."""

    def __init__(self) -> None:
        self._rows: list[Allocation] = []
        self._newest: dict[tuple[str, str], Allocation] = {}

    def add(self, allocation: Allocation) -> None:
        """Append an allocation; it governs from now on."""
        self._rows.append(allocation)
        self._newest[(allocation.vapi_org, allocation.assistant_id)] = allocation

    def latest(self, vapi_org: str, assistant_id: str) -> Allocation | None:
        """Return the allocation that governs an assistant; None where there never was one."""
        return self._newest.get((vapi_org, assistant_id))

    def find(self, vapi_org: str, allocation_id: str) -> Allocation | None:
        """Return an allocation of an org by its id."""
        return next((row for row in self._rows if (row.vapi_org, row.id) == (vapi_org, allocation_id)), None)

    def of(self, vapi_org: str, assistant_id: str | None) -> list[Allocation]:
        """Return the allocations of an org, or of one of its assistants, oldest first."""
        return [row for row in self._rows if row.vapi_org == vapi_org and assistant_id in (None, row.assistant_id)]

    def pinning(self, vapi_org: str, tool_id: str) -> list[str]:
        """Return the assistants that pin a tool in a version which their governing allocation names."""
        return [
            row.assistant_id
            for (org, _), row in self._newest.items()
            if org == vapi_org and any(tool_id in target.version.facts.pins for target in row.targets)
        ]

    def clear(self) -> None:
        """Forget every allocation."""
        self._rows.clear()
        self._newest.clear()
