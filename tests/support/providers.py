"""Providers over real HTTP, right ones and others, and a console whose people sign in there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import httpx
import jwt
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tests.integration.tool_sync.console.conftest import KEY, Browser

from devstack import provider as devstack_provider
from devstack.ports import HOST, free_port
from tool_sync.console.app import mounted
from tool_sync.console.oidc.provider import Client, Provider
from tool_sync.console.oidc.rights import Rules
from tool_sync.console.process import Process
from tool_sync.console.session import Sealer
from tool_sync.http.app import build
from tool_sync.http.state import ConsoleDoor, HttpState
from zerotouch_platform import telemetry
from zerotouch_platform.auth import Scope
from zerotouch_platform.telemetry import Telemetry

CONSOLE = "http://tool-sync/console"
SECRET = "s3cret of the client: with + and %"
OWNERS = devstack_provider.OWNERS

Claims = Mapping[str, Any]
Spoil = Callable[["AnyProvider", dict[str, Any]], str]


@dataclass
class AnyProvider(devstack_provider.Provider):
    """devstack's, and what a test makes of it. ``spoil`` makes the ID token of claims that would be right."""

    says: dict[str, Any] = field(default_factory=dict)
    spoil: Spoil | None = None
    answers: dict[str, Response] = field(default_factory=dict)
    """Instead of its own: by path."""
    slow_seconds: float = 0.0
    asked: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """What it says of itself; None takes a member out."""
        return {name: value for name, value in {**super().document(), **self.says}.items() if value is not None}

    def signed(self, claims: Claims) -> str:
        """An ID token, right or spoilt."""
        return super().signed(claims) if self.spoil is None else self.spoil(self, dict(claims))

    def plain(self, claims: Claims, key: Any = None, algorithm: str = "RS256", **header: Any) -> str:
        """A token of these claims, of any key."""
        named = {"kid": self.key_id, **header}
        return jwt.encode(dict(claims), self.key if key is None else key, algorithm, headers=named)

    async def say_what_it_is(self, request: Request) -> Response:
        return await self._answer(request, super().say_what_it_is)

    async def say_keys(self, request: Request) -> Response:
        return await self._answer(request, super().say_keys)

    async def exchange(self, request: Request) -> Response:
        return await self._answer(request, super().exchange)

    async def _answer(self, request: Request, own: Callable[[Request], Any]) -> Response:
        path = request.url.path
        self.asked.append(path)
        await asyncio.sleep(self.slow_seconds)
        answer: Response = self.answers.get(path) or await own(request)
        return answer


@asynccontextmanager
async def serving(provider: AnyProvider) -> AsyncIterator[AnyProvider]:
    """The provider at its issuer's port."""
    port = int(provider.issuer.rpartition(":")[2])
    server = uvicorn.Server(
        uvicorn.Config(provider.app(), HOST, port, log_config=None, access_log=False, lifespan="off")
    )
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event of it
        await asyncio.sleep(0.01)
    yield provider
    server.should_exit = server.force_exit = True
    await running


def any_provider() -> AnyProvider:
    """One that nobody has started."""
    return AnyProvider(f"http://{HOST}:{free_port()}", SECRET, f"{CONSOLE}/login/back", f"{CONSOLE}/login")


def client_of(provider: AnyProvider, **changes: Any) -> Client:
    """What the console is to it."""
    rules = Rules(
        "groups",
        frozenset({devstack_provider.OPERATORS}),
        {OWNERS: frozenset({Scope.SYNC, Scope.SETTINGS_WRITE}), devstack_provider.STAFF: frozenset({Scope.SYNC})},
        "org_id",
    )
    given: dict[str, Any] = {
        "issuer": provider.issuer,
        "name": "the clinic's account",
        "client_id": devstack_provider.CLIENT_ID,
        "client_secret": SECRET,
        "algorithm": "RS256",
        "scopes": "openid profile",
        "rules": rules,
        "session_seconds": 3600.0,
    }
    return Client(**{**given, **changes})


class Clock:
    """What goes on only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Desk:
    """A console with a provider: ``browser`` makes readers of it."""

    provider: AnyProvider
    browser: Callable[[], Browser]
    clock: Clock
    sealer: Sealer
    state: HttpState
    process: Process


@asynccontextmanager
async def desk_of(
    state: HttpState, provider: AnyProvider, tracing: Telemetry | None = None, **changes: Any
) -> AsyncIterator[Desk]:
    """A console over ``state`` whose people sign in at ``provider``."""
    sealer, clock = Sealer(KEY, is_secure=False), Clock()
    process = Process(provider=Provider(client_of(provider, **changes), clock))
    state.console = ConsoleDoor(CONSOLE, sealer.seal_link)
    app = mounted(build(state, tracing or telemetry.off()), state, sealer, process)
    clients: list[httpx.AsyncClient] = []

    def make() -> Browser:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://tool-sync"))
        return Browser(clients[-1])

    yield Desk(provider, make, clock, sealer, state, process)
    for client in clients:
        await client.aclose()


async def begun(browser: Browser, to: str = "/") -> str:
    """The provider's page, to which the login page leads."""
    page = await browser.get("/login")
    assert 'href="http://tool-sync/console/login/provider?to=/"' in page.text, page.text
    answer = await browser.client.get("/console/login/provider", params={"to": to})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def answered(page: str, person: str = "kim", **form: str) -> str:
    """Where the provider sends the browser back to, once somebody has said who they are."""
    async with httpx.AsyncClient() as outside:
        assert "Who are you?" in (await outside.get(page)).text
        answer = await outside.post(page, data={"person": person, **form})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def entered(browser: Browser, person: str = "kim", to: str = "/", **form: str) -> httpx.Response:
    """The whole way, to the page that goes on or the one that says why not."""
    return await browser.client.get(await answered(await begun(browser, to), person, **form))


def goes_on_to(answer: httpx.Response) -> str:
    """Where the page leads that a sign-in ends with."""
    assert answer.status_code == 200, answer.text
    return unescape(answer.text.split('content="0; url=')[1].split('"')[0])


def json_of(body: object, status: int = 200) -> Response:
    """An answer in the place of the provider's own."""
    return JSONResponse(body, status)
