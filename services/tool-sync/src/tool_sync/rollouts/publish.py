"""Publishing: a tool's file, or a definition that the release brings along, becomes the tool's next version."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tool_sync.domain.events import BlueprintPublished, ToolHalted, ToolResumed, VersionWithdrawn
from tool_sync.domain.fleet import Fleet, Version
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.publishing.document import definition_hash, document_of
from tool_sync.publishing.tool_file import ToolFile
from zerotouch_contracts.tools import CONTRACT_PARAMETER, ORGANIZATION_PARAMETER, VERSION_PARAMETER

_COMPARED: Final = ("type", "async", "function", "server", "messages")


@dataclass(frozen=True, slots=True)
class Installation:
    """What is registered along with every tool that assistant-api answers."""

    server_url: str
    installation_id: UUID
    credential_id: str | None


def published(fleet: Fleet, tool: ToolFile, installation: Installation) -> BlueprintPublished | Refused:
    """The file as the tool's next version; refused where the newest one says the same."""
    of_tool = fleet.versions.get(tool.name, {})
    number = max(of_tool, default=0) + 1
    document = document_of(
        tool,
        number,
        server_url=installation.server_url,
        installation_id=installation.installation_id,
        credential_id=installation.credential_id,
    )
    newest = of_tool.get(number - 1)
    if newest is not None and not newest.is_withdrawn and _is_same(newest, document, tool):
        return Refused(
            f"version {newest.version} of {tool.name} says the same; nothing was written. To order it: "
            f"tool-sync rollout plan {tool.name}@{newest.version}"
        )
    return BlueprintPublished(
        tool.name, number, tool.tier, tool.asynchronous, definition_hash(document), document, tool.contract, tool.note
    )


def _is_same(version: Version, document: dict[str, Any], tool: ToolFile) -> bool:
    same = all(version.document.get(key) == document.get(key) for key in _COMPARED)
    same = same and (version.tier, version.contract) == (tool.tier, tool.contract)
    return same and _own_parameters(version.document) == _own_parameters(document)


def _own_parameters(document: Any) -> list[Any]:
    ours = (ORGANIZATION_PARAMETER, VERSION_PARAMETER, CONTRACT_PARAMETER)
    return [item for item in document.get("parameters", ()) if item["key"] not in ours]


def withdrawn(fleet: Fleet, name: str, number: int, reason: str) -> VersionWithdrawn | Refused:
    """A version that nobody can be given any more; refused while an order that stands gives it."""
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
    return VersionWithdrawn(name, number, reason)


def halted(fleet: Fleet, name: str, reason: str) -> ToolHalted | Refused:
    """The tool is taken from every clinic."""
    if name not in fleet.versions:
        return Refused(f"nobody has published a tool {name}")
    return (
        Refused(f"{name} is halted already: {fleet.halted[name]}") if name in fleet.halted else ToolHalted(name, reason)
    )


def resumed(fleet: Fleet, name: str, reason: str) -> ToolResumed | Refused:
    """Every clinic gets what is ordered again."""
    return ToolResumed(name, reason) if name in fleet.halted else Refused(f"{name} is not halted")
