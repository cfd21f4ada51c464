"""What a clinic gets that signs up now, of each tool, folded event by event in Python from what orders mean."""

from dataclasses import dataclass, field
from typing import Any

from tool_sync.domain import events as e
from tool_sync.log import StoredEvent

Row = dict[str, Any]


@dataclass
class Tool:
    """What is known of one tool. ``orders`` are the versions by rollout, oldest first; ``done`` those that stand."""

    published: list[tuple[int, e.BlueprintPublished]] = field(default_factory=list)
    orders: dict[str, int | None] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    is_halted: bool = False

    def ordered(self) -> int | None:
        """The version of the newest completed order that was not rolled back."""
        return next((version for order, version in reversed(self.orders.items()) if order in self.done), None)


class FleetTables:
    """The rows of ``system_tools``, by name."""

    def __init__(self) -> None:
        self.system_tools: dict[str, Row] = {}
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
                self._tool(name).orders[order] = version
            case e.RolloutCompleted(tool=name, rollout_id=order):
                self._tool(name).done.add(order)
            case e.RolloutRolledBack(tool=name, rollout_id=order):
                self._tool(name).done.discard(order)
            case _:
                return
        if self._tools[name].published:
            self.system_tools[name] = row_of(self._tools[name], stored)

    def _tool(self, name: str) -> Tool:
        return self._tools.setdefault(name, Tool())


def row_of(tool: Tool, stored: StoredEvent) -> Row:
    """What is ordered, else what was published last; a number that was published again stands for its newest."""
    ordered = tool.ordered()
    shown = next((event for _, event in reversed(tool.published) if event.version == ordered), tool.published[-1][1])
    document = shown.document or {}
    return {
        "id": tool.published[0][0],
        "name": shown.name,
        "version": shown.version,
        "tier": shown.tier,
        "asynchronous": shown.asynchronous,
        "definition_hash": shown.definition_hash,
        "contract": shown.contract,
        "schema": document.get("function"),
        "webhook_url": document.get("server", {}).get("url"),
        "enabled": ordered is not None and not tool.is_halted,
        "halted": tool.is_halted,
        "position": stored.position,
        "updated_at": stored.recorded_at,
    }
