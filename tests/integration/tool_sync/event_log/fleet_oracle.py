"""What a clinic gets that signs up now, of each tool, folded event by event in Python from what orders mean."""

from dataclasses import dataclass, field
from typing import Any

from tool_sync.domain import events as e
from tool_sync.log import StoredEvent

Row = dict[str, Any]


@dataclass
class Tool:
    """What is known of one tool. ``orders``: by rollout, its version and position, oldest first; ``done``: those that
    stand."""

    published: list[tuple[int, e.BlueprintPublished]] = field(default_factory=list)
    orders: dict[str, tuple[int | None, int]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    is_halted: bool = False

    def ordered(self) -> tuple[int | None, int]:
        """The version and the position of the newest completed order that was not rolled back."""
        return next((found for order, found in reversed(self.orders.items()) if order in self.done), (None, 0))


class FleetTables:
    """The rows of ``fleet_tools``, by name."""

    def __init__(self) -> None:
        self.fleet_tools: dict[str, Row] = {}
        self._tools: dict[str, Tool] = {}

    def fold(self, stored: StoredEvent) -> None:
        """Applies the next event of the log."""
        match stored.event:
            case e.BlueprintPublished(name=name) as event:
                self._tool(name).published.append((stored.position, event))
            case e.ToolHalted(name=name):
                self._tool(name).is_halted = True
            case e.ToolResumed(name=name):
                self._tool(name).is_halted = False
            case e.RolloutStarted(tool=name, rollout_id=order, version=version):
                self._tool(name).orders[order] = version, stored.position
            case e.RolloutCompleted(tool=name, rollout_id=order):
                self._tool(name).done.add(order)
            case e.RolloutRolledBack(tool=name, rollout_id=order):
                self._tool(name).done.discard(order)
            case _:
                return
        if self._tools[name].published:
            self.fleet_tools[name] = row_of(self._tools[name], stored)

    def _tool(self, name: str) -> Tool:
        return self._tools.setdefault(name, Tool())


def row_of(tool: Tool, stored: StoredEvent) -> Row:
    """What is ordered, else what was published last. An order gives what its number stood for when it was started."""
    ordered, started_at = tool.ordered()
    mine = [(position, event) for position, event in tool.published if event.version == ordered]
    before = [event for position, event in mine if position < started_at]
    shown = before[-1] if before else mine[0][1] if mine else tool.published[-1][1]
    document = shown.document or {}
    return {
        "id": tool.published[0][0],
        "name": shown.name,
        "version": shown.version,
        "tier": shown.tier,
        "asynchronous": shown.asynchronous,
        "definition_hash": shown.definition_hash,
        "contract": contract_of(shown),
        "schema": document.get("function"),
        "webhook_url": document.get("server", {}).get("url"),
        "timeout_seconds": document.get("server", {}).get("timeoutSeconds"),
        "messages": document.get("messages", []),
        "static_parameters": {
            item["key"]: item["value"]
            for item in document.get("parameters", ())
            if item["key"] not in ("organization_id", "definition_version", "contract")
        },
        "enabled": ordered is not None and not tool.is_halted,
        "halted": tool.is_halted,
        "position": stored.position,
        "updated_at": stored.recorded_at,
    }


def contract_of(event: e.BlueprintPublished) -> int | None:
    """As the event names it, else as its document does, else the first; None where there is no document either."""
    if event.contract is not None or event.document is None:
        return event.contract
    named = {item["key"]: item["value"] for item in event.document.get("parameters", ())}.get("contract")
    return named if isinstance(named, int) else 1
