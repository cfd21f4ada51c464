"""Vapi breaks, whoever is on call sees it, tries the group again, and sees it heal."""

import asyncio
import re
import time
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from ..world import World
from .conftest import REFUSED, Clinics, signed_in

pytestmark = pytest.mark.asyncio(loop_scope="session")

SEEN_SECONDS = 2.0
"""After the outcome: how soon the page of who is on call has it."""


async def test_a_group_fails_is_seen_and_tried_again(chromium: Browser, own_world: World, clinics: Clinics) -> None:
    world = own_world
    page = await signed_in(chromium, world, world.stack.signer.platform_token())
    await expect(page.get_by_role("heading", name="Tonight")).to_be_visible()
    await world.vapi.dial([REFUSED])
    org_ids = [await world.organization(f"Praxis Fink {number}") for number in range(3)]
    await asyncio.gather(*(world.save(org_id, f"agent-{uuid4()}") for org_id in org_ids))
    await world.quiet()
    failed_at = time.monotonic()
    await expect(page.locator("main")).to_contain_text("4 of 5 assistants", timeout=10_000)
    assert time.monotonic() - failed_at < 2 * SEEN_SECONDS + 1.0  # the page looks every 2 s, and a count may be made

    await world.vapi.dial([])
    await page.get_by_role("link", name=re.compile("TS-301")).first.click()
    await page.get_by_label(re.compile("^Why, in one line")).fill("the definition is mended")
    await page.get_by_role("button", name=re.compile("^Try")).click()
    await expect(page.locator("main")).to_contain_text("4 of 4 work now", timeout=20_000)
    await world.quiet()
    await page.goto(f"{world.stack.tool_sync_url}/console/")
    await expect(page.locator("main")).to_contain_text("Every assistant that should book can", timeout=10_000)
    await page.context.close()
