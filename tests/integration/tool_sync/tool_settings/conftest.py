"""A clinic with two tools that are ordered for everybody, one of which it has."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import EventLog

from ..ordering import version
from .desk import BOOK, CANCEL, HASH, Desk, desk_over


@pytest.fixture
async def desk(pool: db.Pool, log: EventLog, signer: Signer) -> AsyncIterator[Desk]:
    """A clinic of the basic tier, with one registered tool."""
    async with desk_over(pool, log, signer) as desk:
        await desk.happened(
            version(BOOK, 2),
            version(CANCEL, 1, "professional"),
            e.OrgRegistered("basic"),
            e.ToolRegistered(uuid4(), "platform", BOOK, "tool-1", 2, HASH, HASH, adopted=False),
        )
        yield desk
