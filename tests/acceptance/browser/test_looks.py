"""Every page at every size, light and dark: nothing for axe to find, nothing cut off, nothing loaded from elsewhere."""

import os
import re
from uuid import UUID

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Request

from ..world import World
from .conftest import Clinics, signed_in

pytestmark = pytest.mark.asyncio(loop_scope="session")

BYTES_MAX = 60_000
PICTURES = os.environ.get("PICTURES")
"""A folder in which every page is kept as a picture, for a person to look at."""
SIZES = {"phone": (320, 700), "tablet": (768, 1024), "wide": (1440, 900)}


def paths(clinics: Clinics) -> list[str]:
    """One page of each kind, below ``/console``."""

    def agent(org_id: UUID, agent_id: str) -> str:
        return f"/orgs/{org_id}/agents/{agent_id}"

    return [
        "/", "/failures", "/failures?code=TS-301", "/waiting", "/live", "/search?q=Praxis", "/system", "/log",
        "/tools", "/tools/bookClinicAppointment", "/publish", "/rollouts",
        f"/orgs/{clinics.adler}", f"/orgs/{clinics.specht}", f"/orgs/{clinics.eule}",
        agent(clinics.adler, clinics.adler_agent), agent(clinics.eule, clinics.eule_agent),
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
async def test_every_page_is_whole(
    chromium: Browser, own_world: World, clinics: Clinics, size: str, scheme: str
) -> None:
    width, height = SIZES[size]
    token = own_world.stack.signer.platform_token()
    page = await signed_in(chromium, own_world, token, viewport={"width": width, "height": height}, color_scheme=scheme)
    base, elsewhere, problems = f"{own_world.stack.tool_sync_url}/console", list[str](), list[str]()

    def note(request: Request) -> None:
        if not request.url.startswith(base):
            elsewhere.append(request.url)

    page.on("request", note)
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    for path in paths(clinics):
        answer = await page.goto(base + path)
        assert answer is not None
        assert answer.status == 200, path
        assert len(await answer.body()) < BYTES_MAX, path
        overflows = await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not overflows, f"{path} is wider than {width} px"
        if PICTURES is not None:
            name = re.sub(r"\W+", "-", path).strip("-") or "tonight"
            await page.screenshot(path=f"{PICTURES}/{name}-{size}-{scheme}.png", full_page=True)
        found = await Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
    assert elsewhere == []
    assert problems == []
    await page.context.close()
