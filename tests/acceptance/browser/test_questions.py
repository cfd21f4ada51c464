"""Every question of :mod:`.questions` is answered in at most three clicks, with JavaScript and without."""

import re

import pytest
from playwright.async_api import Browser, Page

from ..world import World
from .conftest import Clinics, signed_in
from .questions import QUESTIONS, Click, Question

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLICKS_MAX = 3
READERS = {"support", "owner", "on call", "clinic", "engineer"}


def test_there_are_twenty_questions_of_all_readers() -> None:
    assert len(QUESTIONS) >= 20
    assert {question.reader for question in QUESTIONS} == READERS
    assert all(len(question.clicks) <= CLICKS_MAX for question in QUESTIONS)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.asks)
async def test_it_is_answered(
    chromium: Browser, own_world: World, clinics: Clinics, question: Question, script: bool
) -> None:
    signer = own_world.stack.signer
    token = signer.org_token(str(clinics.adler)) if question.reader == "clinic" else signer.platform_token()
    page = await signed_in(chromium, own_world, token, script=script)
    request_id = await own_world.newest_request(clinics.adler_agent)
    for click in question.clicks:
        await _click(page, (click[0], click[1].format(adler_request=request_id)))
    said = await page.locator("body").inner_text()
    assert re.search(question.answer, said), said
    await page.context.close()


async def _click(page: Page, click: Click) -> None:
    kind, what = click
    if kind == "search":
        await page.get_by_label("Search").fill(what)
        await page.get_by_role("button", name="Search").click()
    else:
        await page.get_by_role("link", name=what).first.click()
