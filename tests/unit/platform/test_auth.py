"""Tokens: one reading for both services."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from zerotouch_platform.auth import LEEWAY_SECONDS, OrgMember, Platform, TokenRefused, TokenVerifier
from zerotouch_platform.public_key import Algorithm

KEY = Ed25519PrivateKey.generate()
ORG = uuid4()


@dataclass(frozen=True)
class Settings:
    jwt_public_key: str = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    jwt_algorithm: Algorithm = "EdDSA"
    jwt_issuer: str = "issuer"
    jwt_audience: str = "zerotouch"


def header(key: Any = KEY, algorithm: str = "EdDSA", *, leave_out: str = "", **changed: Any) -> str:
    claims = {
        "iss": "issuer", "aud": "zerotouch", "sub": "somebody", "role": "org", "org_id": str(ORG),
        "exp": datetime.now(UTC) + timedelta(minutes=5), **changed,
    }  # fmt: skip
    claims.pop(leave_out, None)
    return f"Bearer {jwt.encode(claims, key, algorithm)}"


def test_a_caller_is_the_platform_or_one_clinic() -> None:
    verifier = TokenVerifier(Settings())
    assert verifier.caller_of(header()) == OrgMember("somebody", ORG)
    assert verifier.caller_of(header(role="platform")) == Platform("somebody")
    assert verifier.caller_of(header().replace("Bearer", "bEARER  ")) == OrgMember("somebody", ORG)


def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    verifier, now = TokenVerifier(Settings()), datetime.now(UTC)
    within, beyond = timedelta(seconds=LEEWAY_SECONDS - 10), timedelta(seconds=LEEWAY_SECONDS + 10)
    assert verifier.caller_of(header(exp=now - within, nbf=now + within)) == OrgMember("somebody", ORG)
    for authorization in (header(exp=now - beyond), header(nbf=now + beyond)):
        with pytest.raises(TokenRefused):
            verifier.caller_of(authorization)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "Bearer not.a.token",
        "Bearer " + "x" * 9000,
        header(Ed25519PrivateKey.generate()),
        header("a shared secret that is long enough for it", "HS256"),
        header(None, "none"),
        header(iss="somebody else"),
        header(aud="another service"),
        header(exp=float("inf")),
        header(exp="soon"),
        header(role="admin"),
        header(role=["platform"]),
        header(org_id="not a uuid"),
        header(org_id=None),
        *(header(leave_out=claim) for claim in ("iss", "aud", "exp", "sub", "role", "org_id")),
    ],
)
def test_anything_else_is_refused_without_a_word_of_the_token(authorization: str | None) -> None:
    with pytest.raises(TokenRefused) as refused:
        TokenVerifier(Settings()).caller_of(authorization)
    assert "somebody" not in refused.value.reason
