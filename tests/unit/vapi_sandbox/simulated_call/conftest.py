"""A sandbox whose webhooks go to an endpoint that the test holds in its hand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ..caller import Time
from .phone import Phone, make_phone


@pytest.fixture
async def phone(time: Time) -> AsyncIterator[Phone]:
    """A phone whose webhooks are not signed."""
    made = make_phone(time)
    async with made.vapi.http:
        yield made
