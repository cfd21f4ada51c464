"""Publishing: a tool's file, or a definition that the release brings along, becomes the tool's next version."""

from dataclasses import replace
from typing import Any, Final, Literal

from tool_sync.domain.events import BlueprintPublished, DriftPolicySet, ToolHalted, ToolResumed, VersionWithdrawn
from tool_sync.domain.fleet import Fleet, Version
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.publishing.document import Installation, definition_hash, document_of
from tool_sync.publishing.open_rules import still_open
from tool_sync.publishing.tool_file import ToolFile
from zerotouch_contracts.tools import CONTRACT_PARAMETER, ORGANIZATION_PARAMETER, VERSION_PARAMETER

_COMPARED: Final = ("type", "async", "function", "server", "messages")


def published(
    fleet: Fleet, tool: ToolFile, installation: Installation, reason: str | None = None
) -> BlueprintPublished | Refused:
    """The file as the tool's next version; refused where the newest one says the same."""
    of_tool = fleet.versions.get(tool.name, {})
    number = max(of_tool, default=0) + 1
    document = document_of(tool, number, installation)
    newest = of_tool.get(number - 1)
    if newest is not None and not newest.is_withdrawn and _is_same(newest, document, tool):
        return Refused(
            f"version {newest.version} of {tool.name} says the same; nothing was written. To order it: "
            f"tool-sync rollout plan {tool.name}@{newest.version}"
        )
    return BlueprintPublished(
        tool.name,
        number,
        tool.tier,
        tool.asynchronous,
        definition_hash(document),
        document,
        tool.contract,
        tool.note,
        reason,
        tool.open,
    )


def published_by_row(
    fleet: Fleet, tool: ToolFile, installation: Installation, reason: str | None
) -> BlueprintPublished | Refused:
    """The same for a row, which has no column for what is open: that stays as the newest version has it."""
    newest = max(fleet.versions.get(tool.name, {}).items(), default=None)
    before = () if newest is None else newest[1].open
    return published(fleet, replace(tool, open=still_open(tool, before)), installation, reason)


def _is_same(version: Version, document: dict[str, Any], tool: ToolFile) -> bool:
    same = all(version.document.get(key) == document.get(key) for key in _COMPARED)
    same = same and (version.tier, version.contract) == (tool.tier, tool.contract)
    same = same and frozenset(version.open) == frozenset(tool.open)
    return same and _own_parameters(version.document) == _own_parameters(document)


def _own_parameters(document: Any) -> list[Any]:
    ours = (ORGANIZATION_PARAMETER, VERSION_PARAMETER, CONTRACT_PARAMETER)
    return [item for item in document.get("parameters", ()) if item["key"] not in ours]


def newest_usable(fleet: Fleet, name: str) -> int | Refused:
    """The newest version of a tool that was not withdrawn."""
    versions = fleet.versions.get(name, {})
    usable = [one.version for one in versions.values() if not one.is_withdrawn]
    if usable:
        return max(usable)
    return Refused(f"nobody has published a tool {name}" if not versions else f"{name} has no usable version")


def withdrawn(fleet: Fleet, name: str, number: int, reason: str, pinned: int = 0) -> VersionWithdrawn | Refused:
    """A version that nobody can be given any more; refused while an order that stands gives it, or clinics are pinned
    to it."""
    version = fleet.versions.get(name, {}).get(number)
    if version is None:
        return Refused(f"there is no version {number} of {name}")
    if version.is_withdrawn:
        return Refused(f"version {number} of {name} was withdrawn already")
    standing = [order for order in fleet.orders.get(name, ()) if order.version == number and order.is_standing]
    if standing:
        order = standing[-1]
        return Refused(
            f"rollout {order.rollout_id}, {order.state}, gives version {number} of {name}: roll it back first"
        )
    if pinned:
        clinics = "1 clinic is" if pinned == 1 else f"{pinned:,} clinics are"
        return Refused(
            f"{clinics} pinned to version {number} of {name}; `tool-sync org pins` lists them: unpin them first"
        )
    return VersionWithdrawn(name, number, reason)


def halted(fleet: Fleet, name: str, reason: str) -> ToolHalted | Refused:
    """The tool is taken from every clinic."""
    if name not in fleet.versions:
        return Refused(f"nobody has published a tool {name}")
    return (
        Refused(f"{name} is halted already: {fleet.halted[name]}") if name in fleet.halted else ToolHalted(name, reason)
    )


def drift_policy(fleet: Fleet, name: str, policy: Literal["repair", "report"], reason: str) -> DriftPolicySet | Refused:
    """What becomes of words of the tool that somebody changes at Vapi."""
    if name not in fleet.versions:
        return Refused(f"nobody has published a tool {name}")
    if (name in fleet.reported) != (policy == "report"):
        return DriftPolicySet(name, policy, reason)
    is_so = f"only reported already: {fleet.reported[name]}" if policy == "report" else "put right already"
    return Refused(f"drift of {name} is {is_so}")


def resumed(fleet: Fleet, name: str, reason: str) -> ToolResumed | Refused:
    """Every clinic gets what is ordered again."""
    return ToolResumed(name, reason) if name in fleet.halted else Refused(f"{name} is not halted")
