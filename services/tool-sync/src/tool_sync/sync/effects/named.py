"""Looking up the tools that an assistant names and the log does not know: whose they are, and how they are called."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tool_sync.domain.reach import NamedTool
from tool_sync.sync.write_guard import WriteGuard
from tool_sync.vapi.failures import unless_gone
from zerotouch_contracts.tools import ToolMarker

READS_AT_ONCE: Final = 8

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_id(text: str) -> bool:
    """Whether it can be a tool's: what is no id of Vapi's must not become a part of a path."""
    return _ID.fullmatch(text) is not None


async def look_up(guard: WriteGuard, ids: Sequence[str]) -> tuple[Mapping[str, NamedTool], bool]:
    """What is behind these ids, each read from Vapi at most once a day; and whether Vapi was asked just now.

    Raises :class:`VapiFailure`.
    """
    context = guard.context
    named = {one: NamedTool(one, exists=False) for one in ids if not is_id(one)}
    asked = [one for one in ids if one not in named]
    named |= await context.store.named_tools(context.vapi.account, asked) if asked else {}
    asked = [one for one in asked if one not in named]
    places = asyncio.Semaphore(READS_AT_ONCE)

    async def read(tool_id: str) -> NamedTool:
        async with places:
            return named_tool(tool_id, await unless_gone(guard.look(lambda: context.vapi.get_tool(tool_id))))

    if asked:
        tools = await asyncio.gather(*(read(tool_id) for tool_id in asked))
        await context.store.keep_named_tools(context.vapi.account, tools)
        named |= {tool.vapi_tool_id: tool for tool in tools}
    return named, bool(asked)


def named_tool(tool_id: str, document: Mapping[str, Any] | None) -> NamedTool:
    """What a tool's own document says of it; None: there is no such tool."""
    if document is None:
        return NamedTool(tool_id, exists=False)
    marker = ToolMarker.of(document)
    return NamedTool(
        tool_id,
        exists=True,
        name=_function_name(document),
        installation_id=None if marker is None else marker.installation_id,
        org_id=None if marker is None else marker.org_id,
    )


def _function_name(document: Mapping[str, Any]) -> str | None:
    """The name by which a model calls it; None where it has none that one of ours could have."""
    function = document.get("function")
    name = function.get("name") if isinstance(function, Mapping) else None
    return name if isinstance(name, str) and _NAME.fullmatch(name) else None
