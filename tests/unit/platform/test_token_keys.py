"""The keys that tokens are verified with: one for ever, or a set that somebody else keeps and changes."""

import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from tests.support.jwt_settings import JwtSettings

from devstack.tokens import AUDIENCE, ISSUER, new_signer
from zerotouch_platform.auth import Platform, TokenRefused, TokenVerifier
from zerotouch_platform.token_keys import ASKED_AGAIN_SECONDS, KEYS_MAX, KeysUnusable, KeyUnknown, TokenKeys, keys_in

OLD, NEW, STRANGER = (Ed25519PrivateKey.generate() for _ in range(3))
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "somebody", "role": "platform"}
WEAK = generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - to be refused
STRONG = generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key: Any, kid: str | None, **changes: Any) -> dict[str, Any]:
    algorithm = jwt.algorithms.OKPAlgorithm if isinstance(key, Ed25519PrivateKey) else jwt.algorithms.RSAAlgorithm
    item: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
    return {**item, **({} if kid is None else {"kid": kid}), **changes}


def jwks(**keys: Ed25519PrivateKey) -> str:
    return json.dumps({"keys": [jwk(key, name) for name, key in keys.items()]})


def header(key: Ed25519PrivateKey, kid: str | None, lifetime_seconds: float = 600) -> str:
    claims = {**CLAIMS, "exp": time.time() + lifetime_seconds}
    return "Bearer " + jwt.encode(claims, key, "EdDSA", headers=None if kid is None else {"kid": kid})


def refused(verifier: TokenVerifier, authorization: str, why: str) -> None:
    with pytest.raises(TokenRefused, match=why):
        verifier.caller_of(authorization)


async def test_a_set_on_disk_is_followed_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    keys = TokenKeys(settings := JwtSettings(jwt_jwks_file=file))
    verifier = TokenVerifier(settings, keys)

    assert "not been read" in str(await keys.problem())
    refused(verifier, header(OLD, "old"), "not known")

    file.write_text(jwks(old=OLD, new=NEW))
    await keys.run_once()
    assert await keys.problem() is None
    assert verifier.caller_of(header(OLD, "old")) == verifier.caller_of(header(NEW, "new")) == Platform("somebody")
    refused(verifier, header(OLD, "new"), "not valid")  # the name is no proof
    refused(verifier, header(STRANGER, "stranger"), "not known")
    refused(verifier, header(OLD, None), "not known")  # of two it is not said which

    file.write_text(jwks(new=NEW))
    await keys.run_once()
    refused(verifier, header(OLD, "old"), "not known")
    assert verifier.caller_of(header(NEW, None)) == Platform("somebody")


@pytest.mark.parametrize("spoilt", ["", "{}", "[]", '{"keys": 7}', '{"keys": []}', "[" * 100_000, " " * 300_000])
async def test_a_set_that_cannot_be_read_leaves_the_last_one(tmp_path: Path, spoilt: str) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(jwks(old=OLD))
    keys = TokenKeys(settings := JwtSettings(jwt_jwks_file=file))
    await keys.run_once()

    file.write_text(spoilt)
    with pytest.raises(KeysUnusable):
        await keys.run_once()

    assert TokenVerifier(settings, keys).caller_of(header(OLD, "old")) == Platform("somebody")
    assert await keys.problem() is None
    assert await keys.note() is not None
    file.unlink()
    with pytest.raises(KeysUnusable, match="cannot be read"):
        await keys.run_once()


def test_other_kinds_in_a_set_are_passed_over() -> None:
    several = [
        jwk(OLD, "mine"), jwk(STRONG, "rsa"), jwk(WEAK, "weak"), jwk(NEW, "encrypts", use="enc"), jwk(NEW, None),
        jwk(NEW, "other", alg="ES256"), {"kty": "EC", "kid": "curve"}, {"kty": 7, "kid": "odd"}, "no key", {},
        {"kty": "OKP", "crv": "Ed448", "x": "AA", "kid": "448"}, {"kty": "OKP", "crv": "Ed25519", "x": "!", "kid": "!"},
    ]  # fmt: skip
    document = json.dumps({"keys": several}).encode()
    assert list(keys_in(document, "EdDSA")) == ["mine"]
    assert list(keys_in(document, "RS256")) == ["rsa"]


def test_what_must_not_be_in_a_set_is_refused() -> None:
    private = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(NEW)) | {"kid": "p"}
    for listed, why in (
        ([jwk(OLD, "a"), private], "key 'p' is private"),
        ([jwk(OLD, "a"), {"kty": "oct", "k": "c2VjcmV0", "kid": "s"}], "key 's' is private"),
        ([jwk(OLD, "a"), jwk(NEW, "a")], "two keys are called 'a'"),
        ([jwk(WEAK, "w")], "1024 bits"),
        ([jwk(OLD, str(n)) for n in range(KEYS_MAX + 1)], "101 keys"),
    ):
        with pytest.raises(KeysUnusable, match=why) as raised:
            keys_in(json.dumps({"keys": listed}).encode(), "RS256" if "bits" in why else "EdDSA")
        assert "c2VjcmV0" not in str(raised.value)


def test_a_name_that_is_not_known_asks_again_and_not_as_often_as_somebody_makes_names_up() -> None:
    now = [100.0]
    keys = TokenKeys(JwtSettings(jwt_jwks_file=Path("/nowhere")), lambda: now[0])
    keys._asked_at = now[0]
    woken = []
    keys._wake = lambda: woken.append(now[0])  # type: ignore[assignment]
    for _ in range(50):
        now[0] += ASKED_AGAIN_SECONDS / 5
        with pytest.raises(KeyUnknown):
            keys.key_of("made-up")
        if woken and woken[-1] == now[0]:
            keys._asked_at = now[0]  # the loop has asked
    assert len(woken) == 10


@pytest.mark.parametrize(("days", "is_taken"), [(89, True), (91, False), (36500, False)])
def test_a_token_that_is_good_for_years_is_refused(days: int, is_taken: bool) -> None:
    signer = new_signer()
    verifier = TokenVerifier(JwtSettings(signer.public_key))
    authorization = f"Bearer {signer.platform_token(lifetime_seconds=days * 86_400)}"
    if is_taken:
        assert isinstance(verifier.caller_of(authorization), Platform)
    else:
        refused(verifier, authorization, "good for longer than 7,776,000 s")


@pytest.mark.parametrize(("days", "is_taken"), [(1, True), (36500, False)])
def test_a_time_that_is_written_as_text_is_one(days: int, is_taken: bool) -> None:
    signer = new_signer()
    verifier = TokenVerifier(JwtSettings(signer.public_key))
    claims = {**CLAIMS, "exp": str(int(time.time()) + days * 86_400)}
    authorization = f"Bearer {jwt.encode(claims, signer.private_key, 'EdDSA')}"
    if is_taken:
        assert isinstance(verifier.caller_of(authorization), Platform)
    else:
        refused(verifier, authorization, "good for longer than 7,776,000 s")


Answer = Callable[[web.Request], web.StreamResponse]


@pytest_asyncio.fixture(loop_scope="function")
async def provider() -> AsyncIterator[tuple[str, list[Answer]]]:
    """An identity provider's address, and what it answers, in turn; the last one for ever."""
    answers: list[Answer] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        return (answers.pop(0) if len(answers) > 1 else answers[0])(request)

    app = web.Application()
    app.router.add_get("/{name}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", answers
    await runner.cleanup()


@pytest.mark.asyncio(loop_scope="function")
async def test_a_set_at_an_address(provider: tuple[str, list[Answer]]) -> None:
    url, answers = provider
    keys = TokenKeys(settings := JwtSettings(jwt_jwks_url=f"{url}/jwks"))
    answers += [
        lambda _: web.Response(status=503),
        lambda _: web.Response(status=302, headers={"location": f"{url}/elsewhere"}),
        lambda _: web.Response(body=b"x" * 300_000),
        lambda _: web.Response(text="<html>"),
        lambda _: web.Response(text=jwks(old=OLD)),
    ]
    for why in ("answers 503", "answers 302", "longer than", "no JSON Web Key Set"):
        with pytest.raises(KeysUnusable, match=why):
            await keys.run_once()
    await keys.run_once()
    assert TokenVerifier(settings, keys).caller_of(header(OLD, "old")) == Platform("somebody")


@pytest.mark.asyncio(loop_scope="function")
async def test_an_address_where_nobody_listens_is_said() -> None:
    keys = TokenKeys(JwtSettings(jwt_jwks_url="http://127.0.0.1:1/jwks"))
    with pytest.raises(KeysUnusable, match="does not answer"):
        await keys.run_once()
    assert "does not answer" in str(await keys.problem())
