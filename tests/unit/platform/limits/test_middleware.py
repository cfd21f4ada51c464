"""The ASGI edge of the limits: whose a request is, what is answered, what is counted."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from starlette.types import Receive, Scope, Send
from tests.support.jwt_settings import JwtSettings

from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.limits import middleware
from zerotouch_platform.limits.identity import KNOWN_SECONDS
from zerotouch_platform.limits.middleware import Limited, Limits
from zerotouch_platform.limits.policy import Kind, Of
from zerotouch_platform.limits.refusals import REFUSED, Refusals, export
from zerotouch_platform.limits.settings import LimitSettings
from zerotouch_platform.meters import Meters
from zerotouch_platform.turns import owner_now

KEY = Ed25519PrivateKey.generate()
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
ORG = uuid4()


def bearer(org_id: UUID | None = ORG, subject: str = "somebody", **more: Any) -> dict[str, str]:
    role = {"role": "platform"} if org_id is None else {"role": "org", "org_id": str(org_id)}
    claims = {"iss": "issuer", "aud": "zerotouch", "sub": subject, "exp": int(time.time()) + 3600, **role, **more}
    return {"authorization": f"Bearer {jwt.encode(claims, KEY, 'EdDSA')}"}


class World:
    """An application behind limits, on a clock that a test moves; ``hold`` keeps requests open."""

    def __init__(self, **settings: Any) -> None:
        self.now = 0.0
        self.served: list[str] = []
        self.owners: list[object] = []
        self.streamed: list[float] = []
        self.hold: asyncio.Event | None = None
        self.verified = 0
        verifier = TokenVerifier(JwtSettings(PEM, jwt_issuer="issuer", jwt_audience="zerotouch"))
        verify = verifier.caller_of

        def counted(authorization: str | None) -> Any:
            self.verified += 1
            return verify(authorization)

        verifier.caller_of = counted  # type: ignore[method-assign]
        self.limits = Limits(
            LimitSettings(**settings), verifier, Refusals(), requests_max=1000,
            is_stream=lambda scope: scope["path"].endswith("/stream"), clock=lambda: self.now,
        )  # fmt: skip
        self.app = Limited(self._app, self.limits)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.served.append(scope["path"])
        if scope["path"] == "/breaks":
            raise RuntimeError
        while (await receive()).get("more_body"):
            pass
        if scope["path"] in {"/dear", "/dear/stream"}:
            sum(range(1_000_000))
            await asyncio.sleep(0)  # as for a row of the database: what was computed so far counts from here on
        self.owners.append(owner_now.get())
        if self.hold is not None:
            await self.hold.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"].endswith("/stream"):
            for _ in range(3):
                await send({"type": "http.response.body", "body": b"", "more_body": True})
                self.streamed.append(time.monotonic())
        await send({"type": "http.response.body", "body": b""})

    async def ask(
        self, path: str = "/v1/x", headers: dict[str, str] | None = None, client: str = "9.9.9.9",
        body: Sequence[bytes] = (),
    ) -> tuple[int, dict[str, str], dict[str, Any]]:  # fmt: skip
        """One request: status, headers, document."""
        parts = list(body) or [b""]
        sent: list[Any] = []

        async def receive() -> Any:
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        scope = {"type": "http", "path": path, "headers": lines, "client": (client, 1), "query_string": b""}
        await self.app(scope, receive, send)
        content = b"".join(message.get("body", b"") for message in sent)
        said = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], said, json.loads(content) if content else {}

    async def statuses(self, number: int, **how: Any) -> dict[int, int]:
        """How often which status came."""
        found: dict[int, int] = {}
        for _ in range(number):
            status, _, _ = await self.ask(**how)
            found[status] = found.get(status, 0) + 1
        return found


TIGHT = {"limit_org_requests_per_second": 10, "limit_burst_seconds": 1, "limit_address_requests_per_second": 5}


async def test_beyond_the_limit_the_answer_says_what_holds_and_when_to_come_again() -> None:
    world, mine = World(**TIGHT), bearer()
    assert await world.statuses(8, headers=mine) == {200: 5, 429: 3}
    status, headers, document = await world.ask(headers=mine)
    assert status == 429
    assert headers["content-type"] == "application/problem+json"
    assert headers["retry-after"] == "1"
    assert headers["ratelimit-policy"] == '"token-requests";q=5;w=1'
    assert headers["ratelimit"] == '"token-requests";r=0;t=1'
    assert document == {
        "type": "urn:zerotouch:error:TS-920", "title": "too many at a time", "status": 429, "code": "TS-920",
        "detail": "too many 5 requests a second of one token; try again in 1 s",
        "violated-policies": ["token-requests"],
    }  # fmt: skip
    world.now = 1.0
    assert await world.statuses(8, headers=mine) == {200: 5, 429: 3}


async def test_a_neighbour_a_second_token_and_health_are_served_meanwhile() -> None:
    world = World(**TIGHT)
    await world.statuses(100, headers=bearer())
    assert await world.statuses(5, headers=bearer(uuid4())) == {200: 5}
    assert await world.statuses(5, headers=bearer(subject="a colleague")) == {200: 5}
    assert await world.statuses(50, headers=bearer(None)) == {200: 50}
    for path in ("/livez", "/readyz"):
        assert await world.statuses(100, path=path) == {200: 100}


async def test_who_asks_for_what_is_dear_waits_longer_and_only_he_does() -> None:
    world = World(limit_org_work_share=0.002, limit_burst_seconds=1)
    assert await world.statuses(1, path="/dear", headers=bearer()) == {200: 1}
    status, headers, document = await world.ask(headers=bearer())
    assert (status, document["violated-policies"]) == (429, ["token-work", "org-work"])
    assert headers["ratelimit-policy"].startswith('"token-work";q=1;qu="milliseconds";w=1, "org-work";q=2;')
    assert await world.statuses(1, headers=bearer(uuid4())) == {200: 1}
    assert await world.statuses(20, path="/dear", headers=bearer(None)) == {200: 20}
    world.now += int(headers["retry-after"])
    assert await world.statuses(1, headers=bearer()) == {200: 1}


async def test_a_stream_that_costs_more_than_its_clinic_has_goes_on_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    little = World(limit_org_work_share=0.002, limit_burst_seconds=1)
    monkeypatch.setattr(middleware, "PACED_SECONDS", 0.05)
    assert await little.statuses(1, path="/dear/stream", headers=bearer()) == {200: 1}
    assert little.streamed[-1] - little.streamed[0] > 0.09
    assert (await little.ask(headers=bearer()))[0] == 429

    enough = World()
    monkeypatch.setattr(middleware, "PACED_SECONDS", 60.0)
    await asyncio.wait_for(enough.statuses(1, path="/dear/stream", headers=bearer()), 20)
    assert len(enough.streamed) == 3


async def test_what_a_request_does_is_its_clinics_or_its_holders_work() -> None:
    world = World()
    for headers in (bearer(), bearer(subject="a colleague"), bearer(uuid4()), bearer(None)):
        await asyncio.create_task(world.ask(headers=headers))
    mine, a_colleagues, another, the_platforms = world.owners
    assert mine == a_colleagues
    assert len({mine, another, the_platforms}) == 3
    assert owner_now.get() is None


async def test_a_new_token_of_the_same_holder_begins_nothing_anew() -> None:
    world = World(**TIGHT)
    statuses = [(await world.ask(headers=bearer(jti=str(number))))[0] for number in range(8)]
    assert statuses == [200] * 5 + [429] * 3


async def test_colleagues_together_have_their_clinics_limit() -> None:
    world = World(**TIGHT)
    statuses = [(await world.ask(headers=bearer(subject=f"s{number}")))[0] for number in range(15)]
    assert statuses == [200] * 10 + [429] * 5
    assert world.limits.refusals.counts == {(Kind.REQUESTS, Of.ORG): 5}


async def test_what_is_no_valid_token_counts_for_the_address_and_for_no_clinic() -> None:
    world = World(**TIGHT)
    forged = {"authorization": bearer()["authorization"][:-4] + "AAAA"}
    assert await world.statuses(20, headers=forged) == {200: 5, 429: 15}
    assert await world.statuses(1, path="/docs") == {429: 1}
    assert await world.statuses(1, path="/docs", client="9.9.9.8") == {200: 1}
    assert world.limits.limiter.keys_tracked == 2  # two addresses; nobody's clinic
    assert world.verified == 5, "beyond the limit no signature is verified any more"


async def test_a_known_token_is_not_held_up_by_strangers_of_its_address() -> None:
    world, mine = World(**TIGHT), bearer()
    await world.ask(headers=mine)
    await world.statuses(20)
    assert await world.statuses(3, headers=mine) == {200: 3}
    assert await world.statuses(1, headers=bearer(uuid4())) == {429: 1}  # unknown yet: behind the strangers
    world.now = 1.0
    assert await world.statuses(1, headers=bearer(uuid4())) == {200: 1}


async def test_whose_a_token_is_is_asked_once_a_minute() -> None:
    world, mine = World(), bearer()
    await world.statuses(10, headers=mine)
    assert world.verified == 1
    world.now = KNOWN_SECONDS
    await world.ask(headers=mine)
    assert world.verified == 2


async def test_streams_are_counted_apart_and_given_back() -> None:
    world, mine = World(limit_org_streams=4, limit_org_requests_in_flight=6), bearer()
    world.hold = asyncio.Event()
    open_ones = [asyncio.create_task(world.ask("/v1/events/stream", mine)) for _ in range(2)]
    await asyncio.sleep(0)
    status, headers, _ = await world.ask("/v1/events/stream", mine)
    assert (status, headers["ratelimit-policy"]) == (429, '"token-streams";q=2;qu="concurrent-requests"')
    others = [asyncio.create_task(world.ask("/v1/x", mine)) for _ in range(3)]
    await asyncio.sleep(0)
    status, headers, _ = await world.ask("/v1/x", mine)
    assert (status, headers["ratelimit-policy"]) == (429, '"token-in-flight";q=3;qu="concurrent-requests"')
    world.hold.set()
    assert [answer[0] for answer in await asyncio.gather(*open_ones, *others)] == [200] * 5
    assert (await world.ask("/v1/events/stream", mine))[0] == 200


async def test_a_request_that_fails_or_is_cut_off_is_given_back() -> None:
    world, mine = World(limit_org_requests_in_flight=2), bearer()
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await world.ask("/breaks", mine)
    world.hold = asyncio.Event()
    for _ in range(3):
        cut = asyncio.create_task(world.ask("/v1/x", mine))
        await asyncio.sleep(0)
        cut.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cut
    world.hold.set()
    assert (await world.ask("/v1/x", mine))[0] == 200


@pytest.mark.parametrize("said", [{"content-length": "3000"}, {"transfer-encoding": "chunked"}])
async def test_bodies_are_counted_whether_or_not_they_say_how_long_they_are(said: dict[str, str]) -> None:
    world, mine = World(limit_org_bytes_per_second=2000, limit_burst_seconds=1), bearer()
    assert (await world.ask("/v1/x", {**mine, **said}, body=[b"x" * 1500] * 2))[0] == 200
    status, headers, _ = await world.ask("/v1/x", mine)
    assert (status, headers["retry-after"]) == (429, "3")
    assert '"token-bytes";q=1000;qu="content-bytes";w=1' in headers["ratelimit-policy"]
    world.now = 3.0
    assert (await world.ask("/v1/x", mine))[0] == 200


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("9.9.9.9", "1.1.1.1", "9.9.9.9"),
        ("10.0.0.5", None, "10.0.0.5"),
        ("10.0.0.5", "6.6.6.6, 1.1.1.1, 10.0.0.9", "1.1.1.1"),
        ("10.0.0.5", "nonsense, 10.0.0.9", "10.0.0.9"),
        ("10.0.0.5", "1.1.1.1, nonsense", "10.0.0.5"),
        ("::ffff:10.0.0.5", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8::1", "1.1.1.1", "2001:db8::/64"),
        ("not an address", "1.1.1.1", ""),
    ],
)
def test_an_address_is_what_trusted_proxies_say_and_a_line_of_ipv6_is_one(
    client: str, forwarded: str | None, address: str
) -> None:
    world = World(trusted_proxies="10.0.0.0/8, 192.168.0.0/16")
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    assert world.limits.identities.address({"client": (client, 1), "headers": headers}) == address


async def test_memory_is_bounded_whoever_comes() -> None:
    world = World(limit_keys_max=50, limit_address_requests_per_second=1000)
    for number in range(500):
        await world.ask(client=f"9.9.{number // 250}.{number % 250}", headers={"authorization": f"Bearer {number}"})
    for number in range(100):
        await world.ask(headers=bearer(uuid4(), f"s{number}"))
    assert world.limits.limiter.keys_tracked <= 3 * 50
    assert len(world.limits.identities._known) <= 50


async def test_refusals_are_a_metric_without_any_name_of_a_clinic() -> None:
    world, reader = World(**TIGHT), InMemoryMetricReader()
    meters = Meters({"service.name": "service"}, readers=[reader])
    export(meters, world.limits.refusals)
    await world.statuses(8, headers=bearer())
    await world.statuses(7)
    data = reader.get_metrics_data()
    assert data is not None
    [metric] = data.resource_metrics[0].scope_metrics[0].metrics
    assert metric.name == REFUSED
    points: Any = metric.data.data_points
    assert sorted((point.value, *point.attributes.items()) for point in points) == [
        (2, ("limit", "requests"), ("of", "address")),
        (3, ("limit", "requests"), ("of", "token")),
    ]
    meters.close()


@pytest.mark.parametrize("wrong", [{"trusted_proxies": "10.0.0.1/8"}, {"limit_token_share": 0}, {"limit_keys_max": 0}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LimitSettings(**wrong)
