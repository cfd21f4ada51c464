"""Signing in with an account from elsewhere: the whole way, each check broken once, and a provider at its worst."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.responses import RedirectResponse, Response, StreamingResponse
from tests.integration.tool_sync.console.conftest import Browser, said
from tests.support.jwt_settings import JwtSettings
from tests.support.providers import (
    CONSOLE,
    OWNERS,
    AnyProvider,
    Desk,
    Spoil,
    answered,
    any_provider,
    begun,
    desk_of,
    entered,
    goes_on_to,
    json_of,
    serving,
)

from devstack.tokens import Signer, new_signer
from tool_sync import telemetry
from tool_sync.console.oidc.provider import AGAIN_SECONDS, KNOWN_SECONDS
from tool_sync.console.oidc.routes import STRANGE
from tool_sync.console.session import ATTEMPT_COOKIE, COOKIE
from tool_sync.http.state import HttpState
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health

STRANGER = generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
async def provider() -> AsyncIterator[AnyProvider]:
    async with serving(any_provider()) as provider:
        yield provider


@pytest.fixture(scope="module")
def signer() -> Signer:
    return new_signer()


@pytest.fixture
def state(signer: Signer) -> HttpState:
    """Without a database: pages that read one say so, and who is signed in sees them say it."""
    verifier = TokenVerifier(JwtSettings(jwt_public_key=signer.public_key))
    return HttpState(verifier, Health(check_seconds_max=0.2, starting=None))


@pytest.fixture
async def desk(state: HttpState, provider: AnyProvider) -> AsyncIterator[Desk]:
    async with desk_of(state, provider) as desk:
        yield desk


async def test_who_runs_the_platform_comes_in_and_where_they_wanted_to_be(desk: Desk) -> None:
    browser = desk.browser()
    page = await begun(browser, to="/search?q=Adler")
    asked = parse_qs(urlsplit(page).query)
    assert (asked["response_type"], asked["code_challenge_method"]) == (["code"], ["S256"])
    assert asked["redirect_uri"] == [f"{CONSOLE}/login/back"]
    answer = await browser.client.get(await answered(page))
    assert goes_on_to(answer) == "/console/search?q=Adler"
    session, ended = answer.headers.get_list("set-cookie")
    assert {"HttpOnly", "SameSite=strict", "Path=/console"} <= set(session.split("; "))
    assert ended.startswith(f'{ATTEMPT_COOKIE}="";')
    assert "Max-Age=0" in ended
    assert "Sign out Kim Lee (u-1001)" in await browser.text("/publish")


async def test_what_binds_a_sign_in_to_a_browser_comes_along_from_the_provider_and_says_nothing(desk: Desk) -> None:
    browser = desk.browser()
    answer = await browser.client.get("/console/login/provider")
    cookie = set(answer.headers["set-cookie"].split("; "))
    assert {"HttpOnly", "SameSite=lax", "Path=/console/login", "Max-Age=600"} <= cookie
    assert parse_qs(urlsplit(answer.headers["location"]).query)["state"][0] not in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("person", "org_id", "words"),
    [
        ("jo", "", "one of clinic-owners, clinic-staff, operators in the claim groups"),
        ("ada", "", "your clinic's id, a UUID, in the claim org_id"),
        ("ada", "Praxis Adler", "your clinic's id, a UUID, in the claim org_id"),
    ],
)
async def test_who_may_nothing_is_told_what_to_ask_for(desk: Desk, person: str, org_id: str, words: str) -> None:
    browser = desk.browser()
    answer = await entered(browser, person, org_id=org_id)
    assert answer.status_code == 403
    assert f"nothing says what you may do here. Ask for {words}" in said(answer.text)
    assert COOKIE not in browser.client.cookies


def _changed(**changes: Any) -> Spoil:
    """An ID token with other claims; None takes one out."""

    def spoil(provider: AnyProvider, claims: dict[str, Any]) -> str:
        return provider.plain({name: value for name, value in {**claims, **changes}.items() if value is not None})

    return spoil


def _with_public_key_as_secret(provider: AnyProvider, claims: dict[str, Any]) -> str:
    """The oldest trick: what everybody knows as the key of an HMAC. PyJWT does not sign so, so it is done by hand."""
    pem = provider.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    encoded = jwt.utils.base64url_encode
    parts = [{"alg": "HS256", "kid": provider.key_id, "typ": "JWT"}, claims]
    signed = b".".join(encoded(json.dumps(part).encode()) for part in parts)
    return (signed + b"." + encoded(algorithm.sign(signed, pem))).decode()


def _of_nobody(provider: AnyProvider, claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "", "none", headers={"kid": provider.key_id})


NOW = int(time.time())
SPOILT: dict[str, tuple[Spoil, str]] = {
    "another nonce": (_changed(nonce="x"), "belongs to another sign-in"),
    "no nonce": (_changed(nonce=None), "not made for this console"),
    "a nonce that is no text": (_changed(nonce=7), "belongs to another sign-in"),
    "another audience": (_changed(aud="somebody-else"), "not made for this console"),
    "several audiences without a party": (_changed(aud=["console", "x"]), "made for another application"),
    "another party": (_changed(aud=["console", "x"], azp="x"), "made for another application"),
    "another party, of one audience": (_changed(azp="x"), "made for another application"),
    "another issuer": (_changed(iss="https://id.example"), "not made for this console"),
    "ended": (_changed(exp=NOW - 3600), "the clock of one of us is wrong"),
    "not begun": (_changed(iat=NOW + 36000), "the clock of one of us is wrong"),
    "without an end": (_changed(exp=None), "not made for this console"),
    "an end that Python cannot count": (_changed(exp=float("inf")), "not made for this console"),
    "without a subject": (_changed(sub=None), "not made for this console"),
    "an empty subject": (_changed(sub=""), "too long, or empty"),
    "a long subject": (_changed(sub="x" * 200), "too long, or empty"),
    "a stranger's key": (lambda p, claims: p.plain(claims, STRANGER), "not made for this console"),
    "a key that is not published": (lambda p, claims: p.plain(claims, kid="x"), "a key that it does not publish"),
    "no algorithm": (_of_nobody, "not made for this console"),
    "the public key as a secret": (_with_public_key_as_secret, "not made for this console"),
    "another algorithm of its own key": (lambda p, c: p.plain(c, algorithm="PS256"), "not made for this console"),
    "no token": (lambda *_: "a.b.c", "not made for this console"),
    "an empty token": (lambda *_: "", "not made for this console"),
}


@pytest.mark.parametrize("spoilt", SPOILT)
async def test_an_id_token_that_is_not_right_lets_nobody_in(desk: Desk, spoilt: str) -> None:
    desk.provider.spoil, words = SPOILT[spoilt]
    browser = desk.browser()
    answer = await entered(browser)
    assert answer.status_code == 401
    assert words in said(answer.text)
    assert COOKIE not in browser.client.cookies
    desk.provider.spoil = None
    assert goes_on_to(await entered(browser)) == "/console/"  # and it was this that was wrong


async def test_of_several_audiences_the_one_that_asked_is_named(desk: Desk) -> None:
    desk.provider.spoil = _changed(aud=["console", "x"], azp="console")
    assert goes_on_to(await entered(desk.browser())) == "/console/"


async def test_a_code_is_good_once_and_for_the_browser_that_began(desk: Desk) -> None:
    first, other = desk.browser(), desk.browser()
    back = await answered(await begun(first))
    assert STRANGE in said((await desk.browser().client.get(back)).text)  # who has begun nothing
    await begun(other)
    assert STRANGE in said((await other.client.get(back)).text)  # who has begun something else
    kept = first.client.cookies[ATTEMPT_COOKIE]
    assert goes_on_to(await first.client.get(back)) == "/console/"
    assert STRANGE in said((await first.client.get(back)).text)
    thief = desk.browser()
    thief.client.cookies.set(ATTEMPT_COOKIE, kept, path="/console/login")
    assert "takes what it had sent no more" in said((await thief.client.get(back)).text)
    assert COOKIE not in {**other.client.cookies, **thief.client.cookies}


async def test_a_code_without_its_verifier_is_good_for_nothing(desk: Desk) -> None:
    """Whoever reads the way back, and has begun a sign-in with the same state, still lacks what only the cookie has."""
    browser, thief = desk.browser(), desk.browser()
    back = await answered(await begun(browser))
    attempt = desk.sealer.attempt_of(browser.client.cookies[ATTEMPT_COOKIE])
    assert attempt is not None
    await begun(thief)
    own = desk.sealer.attempt_of(thief.client.cookies[ATTEMPT_COOKIE])
    assert own is not None
    forged = Response()
    desk.sealer.begin(forged, type(own)(attempt.state, attempt.nonce, own.verifier, "/", own.at))
    thief.client.cookies.clear()
    value = forged.headers["set-cookie"].split("=", 1)[1].split(";")[0].strip('"')
    thief.client.cookies.set(ATTEMPT_COOKIE, value, path="/console/login")
    answer = await thief.client.get(back)
    assert (answer.status_code, COOKIE in thief.client.cookies) == (401, False)
    assert "takes what it had sent no more" in said(answer.text)


async def test_a_sign_in_ends_after_ten_minutes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = desk.browser()
    back = await answered(await begun(browser))
    later = time.time() + 601
    monkeypatch.setattr("tool_sync.console.session.time.time", lambda: later)
    assert STRANGE in said((await browser.client.get(back)).text)


@pytest.mark.parametrize("cookie", ["", "x", "AAAA", "é" * 40, '"'])
async def test_any_other_cookie_has_begun_nothing(desk: Desk, cookie: str) -> None:
    browser = desk.browser()
    back = await answered(await begun(browser))
    browser.client.cookies.clear()
    answer = await browser.client.get(back, headers={b"Cookie": f"{ATTEMPT_COOKIE}={cookie}".encode()})
    assert (answer.status_code, STRANGE in said(answer.text)) == (400, True)


async def test_one_cookie_is_not_the_other(desk: Desk, signer: Signer) -> None:
    browser = desk.browser()
    back = await answered(await begun(browser))
    attempt = browser.client.cookies[ATTEMPT_COOKIE]
    await browser.client.get(back)
    session = browser.client.cookies[COOKIE]
    for name, value, path in ((COOKIE, attempt, "/console"), (ATTEMPT_COOKIE, session, "/console/login")):
        other = desk.browser()
        other.client.cookies.set(name, value, path=path)
        assert (await other.get("/")).url.path == "/console/login"
        assert (await other.client.get(back)).status_code == 400


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"state": "x"}, 400, STRANGE),
        ({"state": None}, 400, STRANGE),
        ({"state": "ä"}, 400, STRANGE),
        ({"iss": "https://id.example"}, 400, "this answer is of another provider"),
        ({"iss": None}, 400, "this answer is of another provider"),
        ({"code": None}, 400, "without an answer"),
        ({"code": "x" * 5000}, 400, "without an answer"),
        ({"code": "of somebody else"}, 401, "takes what it had sent no more"),
        ({"code": None, "error": "access_denied"}, 403, "the provider says no: access_denied"),
        ({"code": None, "error": "<b>call 0900</b>"}, 403, "says no: without a word that can be shown"),
    ],
)
async def test_an_answer_that_is_not_right(desk: Desk, query: dict[str, str | None], status: int, words: str) -> None:
    browser = desk.browser()
    back = urlsplit(await answered(await begun(browser)))
    asked = {name: values[0] for name, values in parse_qs(back.query).items()} | query
    answer = await browser.client.get(back.path, params={name: value for name, value in asked.items() if value})
    assert (answer.status_code, COOKIE in browser.client.cookies) == (status, False)
    assert words in said(answer.text)
    assert ATTEMPT_COOKIE not in browser.client.cookies


async def test_an_answer_that_says_something_twice_says_nothing(desk: Desk) -> None:
    browser = desk.browser()
    back = await answered(await begun(browser))
    assert "without an answer" in said((await browser.client.get(f"{back}&code=x")).text)


async def test_a_provider_that_never_names_itself_need_not(desk: Desk) -> None:
    desk.provider.says["authorization_response_iss_parameter_supported"] = None
    browser = desk.browser()
    back = (await answered(await begun(browser))).partition("&iss=")[0]
    assert goes_on_to(await browser.client.get(back)) == "/console/"


@pytest.mark.parametrize("to", ["https://example.com/", "//example.com/", "/\\example.com", "javascript:x", "/" * 5000])
async def test_only_paths_of_the_console_are_gone_to(desk: Desk, to: str) -> None:
    browser = desk.browser()
    answer = await entered(browser, to=to)
    assert goes_on_to(answer) == "/console/"
    assert "example.com" not in answer.text


async def test_a_client_whose_secret_is_wrong_or_sent_in_another_way(state: HttpState, provider: AnyProvider) -> None:
    async with desk_of(state, provider, client_secret="x") as desk:
        answer = await entered(desk.browser())
        assert (answer.status_code, "it refuses this console: invalid_client" in said(answer.text)) == (502, True)
    provider.says["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    async with desk_of(state, provider) as desk:
        answer = await entered(desk.browser())
        assert "invalid_client" in said(answer.text)  # this one takes no other way; the header was not sent


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(16_384):  # a gigabyte
        await asyncio.sleep(0)
        yield b" " * 65536


ELSEWHERE = "http://127.0.0.1:9"
DISCOVERY = "/.well-known/openid-configuration"
WRONG: dict[str, tuple[str, Response, str]] = {
    "an error": (DISCOVERY, json_of({}, 500), "it answers 500"),
    "elsewhere": (DISCOVERY, RedirectResponse(ELSEWHERE), "it answers 307"),
    "no JSON": (DISCOVERY, Response("<html>"), "what it says of itself cannot be read"),
    "a list": (DISCOVERY, json_of([]), "what it says of itself cannot be read"),
    "deep": (DISCOVERY, Response("[" * 100_000), "what it says of itself cannot be read"),
    "keys: an error": ("/keys", json_of({}, 503), "its address of keys answers 503"),
    "keys: elsewhere": ("/keys", RedirectResponse(ELSEWHERE), "its address of keys answers 307"),
    "keys: none": ("/keys", json_of({"keys": []}), "its keys are of no use"),
    "keys: a secret": ("/keys", json_of({"keys": [{"kid": "a", "kty": "oct", "k": "AA"}]}), "its keys are of no use"),
    "token: an error": ("/token", json_of({}, 500), "it answers 500"),
    "token: none": ("/token", json_of({"access_token": "x"}), "it has sent no ID token"),
    "token: no text": ("/token", json_of({"id_token": 7}), "it has sent no ID token"),
    "token: no JSON": ("/token", Response("x"), "its answer cannot be read"),
    "token: a page of refusal": ("/token", Response("<html>", 400), "its answer cannot be read"),
    "token: words of a stranger": ("/token", json_of({"error": "<b>"}, 400), "it refuses this console: without a word"),
}


async def _tried(browser: Browser) -> str:
    """What somebody is told who tries to sign in at a provider that is of no use."""
    answer = await browser.client.get("/console/login/provider")
    if answer.status_code == 303:
        answer = await browser.client.get(await answered(answer.headers["location"]))
    assert answer.status_code in (502, 503), answer.text
    assert COOKIE not in browser.client.cookies
    return said(answer.text)


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_a_provider_answers_that_is_of_no_use(desk: Desk, wrong: str, signer: Signer) -> None:
    path, answer, words = WRONG[wrong]
    desk.provider.answers[path] = answer
    browser = desk.browser()
    assert words in await _tried(browser)
    assert (await browser.sign_in(signer.platform_token())).url.path == "/console/"  # a token works as ever
    desk.provider.answers.clear()
    desk.clock.now += AGAIN_SECONDS
    assert goes_on_to(await entered(desk.browser())) == "/console/"


@pytest.mark.parametrize("path", [DISCOVERY, "/token", "/keys"])
async def test_what_never_ends_is_ended(desk: Desk, path: str) -> None:
    desk.provider.answers[path] = StreamingResponse(_endless())
    assert "sends what is longer than 262,144 bytes" in await _tried(desk.browser())


async def test_one_that_is_slow_is_waited_for_so_long_and_no_longer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zerotouch_platform.fetch.ASK_SECONDS_MAX", 0.2)
    desk.provider.slow_seconds = 30.0
    began = time.monotonic()
    assert "it does not answer: TimeoutError" in await _tried(desk.browser())
    assert time.monotonic() - began < 15.0  # on a busy machine, too
    for _ in range(10):  # and who comes right after is told at once
        assert "it does not answer" in await _tried(desk.browser())
    assert time.monotonic() - began < 20.0
    assert desk.provider.asked == [DISCOVERY]


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"issuer": "https://id.example"}, "it calls itself by another name"),
        ({"issuer": None}, "it calls itself by another name"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "it has no authorization_endpoint with https"),
        ({"token_endpoint": "http://id.example/token"}, "it has no token_endpoint with https"),
        ({"jwks_uri": None}, "it has no jwks_uri with https"),
        ({"jwks_uri": 7}, "it has no jwks_uri with https"),
        ({"end_session_endpoint": "http://id.example"}, "it has no end_session_endpoint with https"),
        ({"code_challenge_methods_supported": ["plain"]}, "it has no PKCE with S256"),
        ({"id_token_signing_alg_values_supported": ["HS256"]}, "it does not sign with RS256"),
    ],
)
async def test_a_document_that_is_not_the_providers_own(desk: Desk, says: dict[str, Any], words: str) -> None:
    desk.provider.says.update(says)
    assert words in await _tried(desk.browser())


async def test_one_that_goes_away_leaves_what_is_known_and_one_that_never_was_is_told(
    state: HttpState, signer: Signer
) -> None:
    provider = any_provider()
    async with desk_of(state, provider) as desk:
        browser = desk.browser()
        assert "it does not answer: ClientConnectorError" in await _tried(browser)
        async with serving(provider):
            desk.clock.now += AGAIN_SECONDS
            assert goes_on_to(await entered(browser)) == "/console/"
        desk.clock.now += KNOWN_SECONDS
        assert await begun(desk.browser())  # its own page says what is wrong with it, if anything still is
        assert "Kim Lee" in await browser.text("/publish")  # and who is in stays in
        assert (await desk.browser().sign_in(signer.platform_token())).url.path == "/console/"


async def test_keys_that_change_are_followed(desk: Desk) -> None:
    assert goes_on_to(await entered(desk.browser())) == "/console/"
    old, old_id = desk.provider.key, desk.provider.key_id
    desk.provider.key, desk.provider.key_id = STRANGER, "new"
    desk.clock.now += AGAIN_SECONDS
    assert goes_on_to(await entered(desk.browser())) == "/console/"
    desk.provider.spoil = lambda p, claims: p.plain(claims, old, kid=old_id)
    assert "a key that it does not publish" in said((await entered(desk.browser())).text)
    desk.provider.spoil = None
    desk.provider.answers["/keys"] = json_of({}, 500)
    desk.clock.now += KNOWN_SECONDS
    assert goes_on_to(await entered(desk.browser())) == "/console/"  # the last ones hold while they cannot be read


async def test_a_key_that_is_taken_out_is_good_no_more(desk: Desk) -> None:
    assert goes_on_to(await entered(desk.browser())) == "/console/"
    old, old_id = desk.provider.key, desk.provider.key_id
    desk.provider.key, desk.provider.key_id = STRANGER, "new"
    desk.provider.spoil = lambda p, claims: p.plain(claims, old, kid=old_id)
    desk.clock.now += KNOWN_SECONDS
    assert "a key that it does not publish" in said((await entered(desk.browser())).text)


async def test_a_session_ends_with_the_id_token_or_before(state: HttpState, provider: AnyProvider) -> None:
    for session_seconds, token_seconds, lasts in ((3600.0, 600, 600), (300.0, 600, 300)):
        provider.spoil = _changed(exp=int(time.time()) + token_seconds)
        async with desk_of(state, provider, session_seconds=session_seconds) as desk:
            browser = desk.browser()
            await entered(browser)
            person = desk.sealer.person_of(browser.client.cookies[COOKIE])
            assert person is not None
            assert abs(person["exp"] - time.time() - lasts) < 5
            person["exp"] = time.time() - 1
            ended = Response()
            desk.sealer.sign_in_person(ended, person, "x")
            browser.client.cookies.clear()
            browser.client.cookies.set(COOKIE, ended.headers["set-cookie"].split("=", 1)[1].split(";")[0].strip('"'))
            assert "what you signed in for has ended" in await browser.text("/")
            part = await browser.client.get("/console/lights", headers={"HX-Request": "true"})
            assert (part.status_code, part.headers["hx-refresh"]) == (401, "true")


async def test_a_session_is_taken_back_by_its_id(desk: Desk) -> None:
    browser = desk.browser()
    with structlog.testing.capture_logs() as lines:
        await entered(browser)
    (line,) = [line for line in lines if line["event"] == "somebody signed in at the console"]
    assert line["actor"] == "platform:Kim Lee (u-1001)"
    desk.state.verifier.revoked._known = frozenset({line["token_id"]})
    assert "the token was taken back" in await browser.text("/")


async def test_the_cookie_is_for_pages_alone(desk: Desk) -> None:
    browser = desk.browser()
    await entered(browser)
    cookie = browser.client.cookies[COOKIE]
    for header in (f"Bearer {cookie}", f"Session {cookie}", f"Session-{'0' * 32} {cookie}", cookie):
        answer = await browser.client.get("/v1/tools", headers={"Authorization": header})
        assert answer.status_code == 401


async def test_signing_out_here_and_there(desk: Desk) -> None:
    browser = desk.browser()
    await entered(browser)
    answer = await browser.send("/logout", on="/publish")
    assert "You are signed out here." in said(answer.text)
    there = urlsplit(goes_on_to(answer))
    asked = parse_qs(there.query)
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{desk.provider.issuer}/sign-out"
    assert asked["post_logout_redirect_uri"] == [f"{CONSOLE}/login"]
    assert jwt.decode(asked["id_token_hint"][0], options={"verify_signature": False})["sub"] == "u-1001"
    assert (await browser.get("/")).url.path == "/console/login"


async def test_signing_out_where_the_provider_has_no_place_for_it_or_is_away(state: HttpState) -> None:
    async with serving(any_provider()) as provider:
        provider.says["end_session_endpoint"] = None
        async with desk_of(state, provider) as desk:
            browser = desk.browser()
            await entered(browser)
            assert (await browser.send("/logout", on="/publish")).url.path == "/console/login"
    async with serving(any_provider()) as provider, desk_of(state, provider) as desk:
        browser = desk.browser()
        await entered(browser)
        desk.provider.answers[DISCOVERY] = json_of({}, 500)
        desk.clock.now += KNOWN_SECONDS
        assert "You are signed out here." in said((await browser.send("/logout", on="/publish")).text)  # as last known


async def test_an_id_token_that_no_cookie_holds_is_left_out(desk: Desk) -> None:
    desk.provider.spoil = lambda p, claims: p.plain({**claims, "picture": "x" * 4000})
    browser = desk.browser()
    await entered(browser)
    assert "id_token_hint" not in goes_on_to(await browser.send("/logout", on="/publish"))


async def test_who_pasted_a_token_signs_out_here_alone(desk: Desk, signer: Signer) -> None:
    browser = desk.browser()
    await browser.sign_in(signer.platform_token())
    assert (await browser.send("/logout", on="/publish")).url.path == "/console/login"


async def test_where_there_is_no_provider(desk: Desk) -> None:
    desk.process.provider = None
    browser = desk.browser()
    assert "Sign in with" not in await browser.text("/login")
    assert "CONSOLE_OIDC_ISSUER is not set" in await browser.text("/login/provider", 404)
    assert "CONSOLE_OIDC_ISSUER is not set" in await browser.text("/login/back?code=x&state=y", 404)


async def test_where_the_consoles_address_is_not_known(desk: Desk) -> None:
    desk.state.console = None
    assert "Sign in with" not in await desk.browser().text("/login")
    assert "CONSOLE_URL is not set" in await desk.browser().text("/login/provider", 503)


async def test_neither_logs_nor_traces_nor_pages_have_what_lets_somebody_in(
    state: HttpState, provider: AnyProvider, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = InMemorySpanExporter()
    tracing = telemetry.set_up(None, exporter=exporter)
    secrets: list[str] = []

    def noting(provider: AnyProvider, claims: dict[str, Any]) -> str:
        secrets.append(token := provider.plain(claims))
        return token

    provider.spoil = noting
    with structlog.testing.capture_logs() as lines:
        async with desk_of(state, provider, tracing) as desk:
            browser = desk.browser()
            back = await answered(await begun(browser))
            attempt = desk.sealer.attempt_of(browser.client.cookies[ATTEMPT_COOKIE])
            assert attempt is not None
            page = await browser.client.get(back)
            secrets += [attempt.state, attempt.nonce, attempt.verifier, parse_qs(urlsplit(back).query)["code"][0]]
            secrets += [browser.client.cookies[COOKIE], provider.client_secret, *secrets[0].split(".")[1:]]
            begin = await browser.client.get(back)  # refused: used up
            provider.spoil = _changed(aud="x")
            refused = await entered(browser)
    await tracing.shutdown()
    told = "".join(span.to_json() for span in exporter.get_finished_spans()) + json.dumps(lines, default=str)
    told += caplog.text + unescape(page.text + begin.text + refused.text)
    assert "/console/login/back" in told
    assert len(secrets) == 9
    assert [secret for secret in secrets if secret in told] == []
    assert OWNERS not in told
