"""An organization with one agent, which is saved."""

import uuid
from typing import Any

from tests.checker.selftest.group import Group


async def saved(group: Group, org: str) -> dict[str, Any]:
    """One agent, one save; the rules do the rest."""
    return await group.save(org, f"agent-{org[:8]}", f"words of {org} {uuid.uuid4()}")


async def save_again(group: Group, org: str) -> None:
    """The next save of the one agent."""
    await group.save(org, f"agent-{org[:8]}", f"words after {uuid.uuid4()}", change=True)
