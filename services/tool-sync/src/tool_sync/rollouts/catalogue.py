"""What there is of each tool: its versions, what is ordered for everybody, what stands in its way. From the fleet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tool_sync.domain.fleet import Fleet, Version


@dataclass(frozen=True, slots=True)
class ShownVersion:
    """A version; ``answered``: whether every live assistant-api answers its calls, or another service does.

    ``document`` is what is registered, with the nil UUID in the org's place; None in a list.
    """

    name: str
    version: int
    tier: str
    contract: int
    definition_hash: str
    withdrawn: bool
    answered: bool
    position: int
    document: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ShownTool:
    """A tool. ``ordered``: the version that a clinic gets that signs up now, None for none. ``rollout``: the open one.

    ``halted`` is the reason of a halt, None where there is none. ``drift``: what becomes of words that somebody changes
    at Vapi, with the reason where they are only reported.
    """

    name: str
    versions: tuple[ShownVersion, ...]
    ordered: int | None
    rollout: str | None
    halted: str | None
    drift: Literal["repair", "report"]
    drift_reason: str | None


def tool_shown(fleet: Fleet, name: str) -> ShownTool:
    """One that was published."""
    open_order = fleet.open_order(name)
    standing = (order for order in reversed(fleet.orders.get(name, ())) if order.state == "completed")
    newest = next(standing, None)
    return ShownTool(
        name,
        tuple(_shown(fleet, version) for _, version in sorted(fleet.versions[name].items())),
        None if newest is None else newest.version,
        None if open_order is None else open_order.rollout_id,
        fleet.halted.get(name),
        "report" if name in fleet.reported else "repair",
        fleet.reported.get(name),
    )


def version_shown(fleet: Fleet, name: str, number: int) -> ShownVersion:
    """One that was published, with its document."""
    version = fleet.versions[name][number]
    return _shown(fleet, version, version.document)


def _shown(fleet: Fleet, version: Version, document: Mapping[str, Any] | None = None) -> ShownVersion:
    return ShownVersion(
        version.name, version.version, version.tier, version.contract, version.definition_hash,
        version.is_withdrawn, fleet.is_answered(version), version.position, document,
    )  # fmt: skip
