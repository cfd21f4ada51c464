"""The console over a real database, as a browser has it: cookies kept, forms sent as they stand in the page."""

import re
from collections.abc import AsyncIterator, Callable
from html import unescape

import httpx
import pytest

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.console.app import mounted
from tool_sync.console.session import Sealer
from tool_sync.http.app import build
from tool_sync.http.state import ConsoleDoor, HttpState, Installed, NoticesDoor
from tool_sync.log import EventLog
from tool_sync.notices.names import Names
from tool_sync.notices.signing import SecretBox
from tool_sync.queries import kept
from tool_sync.settings import Settings
from zerotouch_platform import telemetry
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health

KEY = bytes(range(32))
FRAME_ANCESTORS = ("https://praxis.example", "https://app.example:8443")


class Browser:
    """One reader. Paths are below ``/console``."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """A page, after all redirects."""
        return await self.client.get(f"/console{path}", headers=headers, follow_redirects=True)

    async def text(self, path: str, status: int = 200) -> str:
        """What a page says, without its tags and with single spaces."""
        answer = await self.get(path)
        assert answer.status_code == status, answer.text
        return said(answer.text)

    async def send(self, path: str, on: str, **fields: str) -> httpx.Response:
        """Send a form of the page ``on``."""
        page = await self.get(on)
        token = re.search(r'name="form_token" value="([0-9a-f]*)"', page.text)
        assert token is not None, page.text
        return await self.client.post(f"/console{path}", data={"form_token": token[1], **fields}, follow_redirects=True)

    async def sign_in(self, token: str, to: str = "/") -> httpx.Response:
        """By the form."""
        return await self.client.post("/console/login", data={"token": token, "to": to}, follow_redirects=True)


def said(page: str) -> str:
    """The words of a page."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.fixture
def http_state(settings: Settings, pool: db.Pool, event_log: EventLog) -> HttpState:
    """What the routes and pages work with."""
    state = HttpState(TokenVerifier(settings), Health(check_seconds_max=0.2, starting=None), pool, log=event_log)
    state.installed = Installed("https://hooks.example/tools", calls_per_minute=720)
    state.notices = NoticesDoor(SecretBox(KEY), Names().addresses)
    sealer = Sealer(KEY, is_secure=False)
    state.console = ConsoleDoor("http://tool-sync/console", sealer.seal_link, FRAME_ANCESTORS)
    return state


@pytest.fixture
async def make_browser(http_state: HttpState, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[], Browser]]:
    """Browsers of one console; its sealer is ``KEY``'s. On a busy machine, too, what it counts is as the log is now."""
    monkeypatch.setattr(kept, "WAITED_SECONDS_MAX", 60.0)
    app = mounted(build(http_state, telemetry.off()), http_state, Sealer(KEY, is_secure=False))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    clients: list[httpx.AsyncClient] = []

    def make() -> Browser:
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://tool-sync"))
        return Browser(clients[-1])

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def browser(make_browser: Callable[[], Browser]) -> Browser:
    """Nobody is signed in."""
    return make_browser()


@pytest.fixture
async def operator(make_browser: Callable[[], Browser], signer: Signer) -> Browser:
    """Who runs the platform is signed in."""
    browser = make_browser()
    assert (await browser.sign_in(signer.platform_token())).status_code == 200
    return browser
