"""A token's signature is verified once, and everything else of it at each request."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.eventually import eventually
from tests.support.jwt_settings import JwtSettings
from tests.support.pieces import cpu_seconds
from tests.unit.platform.test_auth import KEY, ORG, PEM, header

from zerotouch_platform.auth import LEEWAY_SECONDS, OrgMember, TokenRefused, TokenVerifier
from zerotouch_platform.public_key import PublicKey
from zerotouch_platform.revoked_tokens import RevokedTokens
from zerotouch_platform.token_keys import TokenKeys

TIMES = 200


class Keys(TokenKeys):
    """One key, which somebody replaces."""

    def __init__(self, settings: JwtSettings) -> None:
        super().__init__(settings)
        self.now: PublicKey = KEY.public_key()

    def key_of(self, name: str | None) -> PublicKey:
        return self.now


def verifier(**changed: Any) -> TokenVerifier:
    return TokenVerifier(JwtSettings(PEM, jwt_issuer="issuer", jwt_audience="zerotouch"), **changed)


def test_a_hundred_requests_of_one_token_are_not_as_many_signatures() -> None:
    ours, sent = verifier(), header()
    token = sent.partition(" ")[2]

    def verify() -> None:
        for _ in range(TIMES):
            jwt.decode(token, KEY.public_key(), algorithms=["EdDSA"], issuer="issuer", audience="zerotouch")

    def ask() -> None:
        for _ in range(TIMES):
            assert ours.caller_of(sent) == OrgMember("somebody", ORG)

    assert min(cpu_seconds(ask) for _ in range(3)) < 0.7 * min(cpu_seconds(verify) for _ in range(3))


async def test_a_token_that_was_good_is_refused_once_it_has_expired() -> None:
    ours, sent = verifier(), header(exp=datetime.now(UTC) + timedelta(seconds=2 - LEEWAY_SECONDS))
    ours.caller_of(sent)

    async def is_refused() -> bool:
        with contextlib.suppress(TokenRefused):
            return ours.caller_of(sent) is None
        return True

    await eventually(is_refused)


def test_a_token_that_was_good_is_refused_once_its_key_is_another() -> None:
    keys = Keys(JwtSettings(PEM))
    ours, sent = verifier(keys=keys), header()
    ours.caller_of(sent)
    keys.now = Ed25519PrivateKey.generate().public_key()
    with pytest.raises(TokenRefused):
        ours.caller_of(sent)
    keys.now = KEY.public_key()
    assert ours.caller_of(sent) == OrgMember("somebody", ORG)


def test_a_token_that_was_good_is_refused_once_it_was_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    revoked = RevokedTokens(followed=False)
    ours, sent = verifier(revoked=revoked), header(jti="lost-laptop")
    ours.caller_of(sent)
    monkeypatch.setattr(revoked, "holds", lambda token_id: token_id == "lost-laptop")
    with pytest.raises(TokenRefused):
        ours.caller_of(sent)


def test_a_changed_signature_is_looked_at() -> None:
    ours, sent = verifier(), header()
    ours.caller_of(sent)
    head, payload, signature = sent.split(".")
    with pytest.raises(TokenRefused):
        ours.caller_of(f"{head}.{payload}.{signature[:-4]}AAAA")
    with pytest.raises(TokenRefused):
        ours.caller_of(f"{head}.{payload}.")
