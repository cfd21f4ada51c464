"""Broken rules about assistants that are made with known tools, and about the deletion of these."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from assistant_api import known_tools
from tool_sync.vapi.client import VapiClient


@contextmanager
def knows_tools_for_ever() -> Iterator[None]:
    """Takes the newest outcome's tools however old it is."""
    with patch.object(known_tools, "SHARE_OF_GRACE", 1e9):
        yield


@contextmanager
def does_not_look_again() -> Iterator[None]:
    """Deletes by the list of all assistants alone, however long it took."""
    lists = VapiClient.assistants

    async def mutated(self: Any, through: Any = None, since: Any = None) -> AsyncIterator[object]:
        if since is None:
            async for assistant in lists(self, through):
                yield assistant

    with patch.object(VapiClient, "assistants", mutated):
        yield


CREATIONS: tuple[Callable[[], AbstractContextManager[object]], ...] = (knows_tools_for_ever, does_not_look_again)
