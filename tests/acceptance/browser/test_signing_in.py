"""Somebody signs in with the account of another site, in a browser that keeps its cookies as their kinds say."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from devstack import provider

from ..world import World
from .conftest import Clinics

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def signing_in(own_world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The console's address; tool-sync was started again, with a provider."""
    stack = own_world.stack
    log: Path = tmp_path_factory.mktemp("provider") / "provider.log"
    running = await provider.start(f"{stack.tool_sync_url}/console", log=log)
    await stack.children["tool-sync"].stop()
    await replace(stack, surroundings=replace(stack.surroundings, sign_in_env=running.env())).start_service("tool_sync")
    yield f"{stack.tool_sync_url}/console"
    await running.child.stop()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_the_platform_comes_in_and_goes_out_again(chromium: Browser, signing_in: str, script: bool) -> None:
    context = await chromium.new_context(java_script_enabled=script)
    page = await context.new_page()
    await page.goto(f"{signing_in}/rollouts")
    if script:
        assert (await Axe().run(page)).violations_count == 0
    await page.get_by_role("link", name="Sign in with devstack").click()
    await page.get_by_role("button", name="Kim Lee").click()
    await expect(page.get_by_role("heading", name="Rollouts", exact=True)).to_be_visible()
    assert page.url == f"{signing_in}/rollouts"
    kinds = {cookie["name"]: cookie["sameSite"] for cookie in await context.cookies()}
    assert kinds == {"zerotouch_console": "Strict"}
    await page.get_by_role("button", name="Sign out Kim Lee").click()
    await expect(page.get_by_role("link", name="Sign in with devstack")).to_be_visible()
    await page.goto(f"{signing_in}/rollouts")
    assert "/console/login" in page.url
    await context.close()


async def test_a_clinics_owner_comes_to_the_own_clinic(chromium: Browser, signing_in: str, clinics: Clinics) -> None:
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(f"{signing_in}/login")
    await page.get_by_role("link", name="Sign in with devstack").click()
    await page.get_by_label("Clinic (a UUID)").fill(str(clinics.adler))
    await page.get_by_role("button", name="Ada Adler").click()
    await expect(page.locator("main")).to_contain_text("Praxis Adler")
    await context.close()


async def test_who_may_nothing_reads_what_to_ask_for(chromium: Browser, signing_in: str) -> None:
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(f"{signing_in}/login")
    await page.get_by_role("link", name="Sign in with devstack").click()
    await page.get_by_role("button", name="Jo Doe").click()
    await expect(page.get_by_role("alert")).to_contain_text("Ask for one of clinic-owners, clinic-staff, operators")
    await context.close()
