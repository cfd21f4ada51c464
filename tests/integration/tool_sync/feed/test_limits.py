"""One clinic's streams are not everybody's: over real sockets, as a stream has no end."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from tests.support.eventually import eventually

from devstack.tokens import Signer
from tool_sync.http.app import build
from tool_sync.http.lasting import lasts
from tool_sync.http.state import HttpState
from tool_sync.log import EventLog
from tool_sync.settings import Settings
from zerotouch_platform import telemetry
from zerotouch_platform.connections import ConnectionLimits
from zerotouch_platform.limits.middleware import Limits
from zerotouch_platform.limits.policy import Kind, Of
from zerotouch_platform.limits.refusals import Refusals
from zerotouch_platform.server import HttpServer, bind

from .making import did, synced


@pytest.fixture
async def limits(settings: Settings, state: HttpState) -> Limits:
    """As a process has them by default."""
    state.limits = Limits(
        settings, state.verifier, Refusals(), requests_max=settings.http_requests_max, is_stream=lasts
    )
    return state.limits


@pytest.fixture
async def url(limits: Limits, state: HttpState, settings: Settings) -> AsyncIterator[str]:
    """The address of a running server."""
    sockets = ConnectionLimits(settings.http_connections_max, settings.http_requests_max)
    server = HttpServer(build(state, telemetry.off()), bind("127.0.0.1", 0), limits=sockets)
    running = asyncio.create_task(server.run_forever())
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    await running


class Readers:
    """Streams that stay open."""

    def __init__(self, url: str) -> None:
        self._url = url
        pool = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._client = httpx.AsyncClient(timeout=20, limits=pool)
        self.open: list[httpx.Response] = []

    async def come(self, number: int, token: str, path: str = "/v1/events/stream") -> Counter[int]:
        """Open so many; what they were answered."""

        async def one() -> int:
            request = self._client.build_request("GET", self._url + path, headers={"Authorization": f"Bearer {token}"})
            answer = await self._client.send(request, stream=True)
            self.open.append(answer)
            return answer.status_code

        return Counter(await asyncio.gather(*(one() for _ in range(number))))

    async def go(self) -> None:
        """Close all."""
        for answer in self.open:
            await answer.aclose()
        self.open.clear()
        await self._client.aclose()


@pytest.fixture
async def readers(url: str) -> AsyncIterator[Readers]:
    """Nobody yet."""
    readers = Readers(url)
    yield readers
    await readers.go()


async def test_four_hundred_streams_of_one_clinic_leave_its_neighbour_a_stream_and_everybody_health(
    url: str, readers: Readers, limits: Limits, signer: Signer, event_log: EventLog
) -> None:
    greedy, neighbour = uuid4(), uuid4()
    await event_log.append_all([did(greedy, synced(1)), did(neighbour, synced(1))])

    answers = await readers.come(400, signer.org_token(str(greedy)))

    assert answers == {200: 20, 429: 380}
    assert limits.refusals.counts == {(Kind.STREAMS, Of.TOKEN): 380}
    refused = next(answer for answer in readers.open if answer.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["ratelimit-policy"] == '"token-streams";q=20;qu="concurrent-requests"'
    assert (await readers.come(3, signer.org_token(str(neighbour)))) == {200: 3}
    assert (await readers.come(3, signer.org_token(str(neighbour)), "/v1/events?after=0&wait=5")) == {200: 3}
    async with httpx.AsyncClient() as client:
        for _ in range(20):
            assert (await client.get(f"{url}/livez", timeout=1)).status_code == 200
        bearer = {"Authorization": f"Bearer {signer.org_token(str(greedy))}"}
        assert (await client.get(f"{url}/v1/events?after=0", headers=bearer)).status_code == 200  # a page does not last


async def test_streams_that_ended_leave_their_room(url: str, limits: Limits, signer: Signer) -> None:
    org = str(uuid4())
    for _ in range(3):
        readers = Readers(url)
        assert await readers.come(20, signer.org_token(org)) == {200: 20}
        await readers.go()

        async def nobody() -> bool:
            return not any(usage.streams for usage in limits.limiter._tables[Of.ORG]._by_key.values())

        await eventually(nobody, within_seconds=10)


@pytest.mark.parametrize(
    ("path", "query", "is_one"),
    [
        ("/v1/events/stream", b"", True),
        ("/v1/fleet/events/stream", b"after=1", True),
        ("/v1/events", b"after=1&wait=30", True),
        ("/v1/fleet/events", b"%77ait=30", True),
        ("/v1/events", b"after=1", False),
        ("/v1/orgs/x/tools", b"wait=1", False),
    ],
)
async def test_what_lasts(path: str, query: bytes, is_one: bool) -> None:
    assert lasts({"path": path, "query_string": query}) is is_one
