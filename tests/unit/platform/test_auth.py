"""Tokens: one reading for both services."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.attack.tokens import forged
from tests.support.jwt_settings import JwtSettings

from devstack.tokens import new_signer
from zerotouch_platform.auth import (
    LEEWAY_SECONDS,
    SCOPES,
    AnyScope,
    Need,
    NotAllowed,
    OrgMember,
    Platform,
    RouteNeed,
    Scope,
    TokenRefused,
    TokenVerifier,
    require,
)

KEY = Ed25519PrivateKey.generate()
ORG = uuid4()


PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def Settings() -> JwtSettings:
    return JwtSettings(PEM, jwt_issuer="issuer", jwt_audience="zerotouch")


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


FORGED = forged(SIGNER := new_signer())


@pytest.mark.parametrize("name", FORGED)
def test_every_forged_token_of_the_attacks_is_refused(name: str) -> None:
    verifier = TokenVerifier(JwtSettings(SIGNER.public_key))
    assert verifier.caller_of(f"Bearer {SIGNER.platform_token()}").role == "platform"
    with pytest.raises(TokenRefused):
        verifier.caller_of(f"Bearer {FORGED[name]}")


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


@pytest.mark.parametrize(
    ("claim", "scopes"),
    [
        ("sync", {Scope.SYNC}),
        ("appointments:read  sync openid", {Scope.APPOINTMENTS_READ, Scope.SYNC}),
        (["settings:write", "agents:write"], {Scope.SETTINGS_WRITE, Scope.AGENTS_WRITE}),
        ("", set()),
        ([], set()),
        ("SYNC appointments settings:write,sync", set()),
        (["sync agents:write", 7, None, {"sync": True}], set()),
        (None, set()),
        (7, set()),
        ({"sync": True}, set()),
    ],
)
def test_a_scope_claim_gives_the_scopes_that_it_names_and_nothing_else(claim: Any, scopes: set[Scope]) -> None:
    caller = TokenVerifier(Settings()).caller_of(header(scope=claim))
    assert caller == OrgMember("somebody", ORG, scopes=frozenset(scopes))


def test_a_token_has_its_id_and_the_platforms_role_has_no_scopes() -> None:
    verifier = TokenVerifier(Settings())
    assert verifier.caller_of(header(jti="t-1")) == OrgMember("somebody", ORG, token_id="t-1")
    assert verifier.caller_of(header(role="platform", scope="", jti="t-2")) == Platform("somebody", token_id="t-2")


NEEDS: list[RouteNeed] = [*Need, AnyScope((Scope.SYNC,)), AnyScope((Scope.SETTINGS_WRITE, Scope.APPOINTMENTS_READ))]


@pytest.mark.parametrize("need", NEEDS)
@pytest.mark.parametrize("scopes", [None, (), *((scope,) for scope in Scope), tuple(Scope)])
def test_a_token_is_enough_where_the_route_needs_nothing_that_it_lacks(
    need: RouteNeed, scopes: tuple[Scope, ...] | None
) -> None:
    require(Platform("somebody"), need)
    caller = OrgMember("somebody", ORG, scopes=None if scopes is None else frozenset(scopes))
    has = scopes is None or (isinstance(need, AnyScope) and any(scope in need.scopes for scope in scopes))
    if need is Need.NOTHING or (need is not Need.PLATFORM and has):
        require(caller, need)
        return
    with pytest.raises(NotAllowed) as refused:
        require(caller, need)
    lacks = None if need is Need.PLATFORM else need.scopes[0]
    assert refused.value.scope == lacks
    assert refused.value.challenge == 'Bearer error="insufficient_scope"' + (f', scope="{lacks}"' if lacks else "")


def test_every_scope_is_described() -> None:
    assert list(SCOPES) == list(Scope)
