"""tool-sync, wrong in what it takes for usable, or for its own. Each function breaks the process that it runs in."""

from typing import Any

from tests.checker.selftest.ports import port, put

FOREIGN_KEPT = 20


def relinks_first_20() -> None:
    """Of the tools of somebody else's that an assistant names, linking keeps only the first."""
    from tool_sync.vapi.client import VapiClient

    create, update = port(VapiClient, "create_tool"), port(VapiClient, "update_assistant")
    own: set[str] = set()

    async def create_tool(self: Any, payload: Any) -> Any:
        answer = await create(self, payload)
        own.add(answer["id"])
        return answer

    async def update_assistant(self: Any, assistant_id: str, changes: Any) -> Any:
        model = changes["model"]
        foreign = [tool for tool in model["toolIds"] if tool not in own][FOREIGN_KEPT:]
        kept = [tool for tool in model["toolIds"] if tool not in foreign]
        return await update(self, assistant_id, {**changes, "model": {**model, "toolIds": kept}})

    put(VapiClient, "create_tool", create_tool)
    put(VapiClient, "update_assistant", update_assistant)


def keeps_strange_tool() -> None:
    """A tool of another clinic stays where it is found."""
    import importlib

    link = importlib.import_module("tool_sync.sync.effects.link")
    put(link, "to_take_out", lambda *_: ())


def links_what_is_another_s() -> None:
    """A save is believed, whatever the assistant's own mark says."""
    import importlib

    link = importlib.import_module("tool_sync.sync.effects.link")
    put(link, "belongs_to_another", lambda *_: False)


def twins_overlooked() -> None:
    """Synced is said though another tool has the same name."""
    from tool_sync.domain import reach

    put(reach, "_shadows", lambda *_: ())


def silence_overlooked() -> None:
    """Synced is said though Vapi sends no call of a tool."""
    from tool_sync.domain import reach

    put(reach, "_sends_tool_calls", lambda _document: True)
