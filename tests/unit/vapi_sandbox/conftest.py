"""A sandbox in the test's own process, on a clock that only the test turns."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from vapi_sandbox import DEFAULT_KEY

from .caller import Caller, caller
from .caller import time as time
from .caller import transport as transport


@pytest.fixture
async def vapi(transport: httpx.ASGITransport) -> AsyncIterator[Caller]:
    """The caller that most tests need."""
    ours = caller(transport, DEFAULT_KEY)
    async with ours.http:
        yield ours


@pytest.fixture
async def foreigner(transport: httpx.ASGITransport) -> AsyncIterator[Caller]:
    """A caller of another Vapi org."""
    theirs = caller(transport, "foreign-key")
    async with theirs.http:
        yield theirs
