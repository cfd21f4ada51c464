"""Tokens that say who somebody is not: each is 401, at both services; and a good one of another clinic opens nothing.

Found in RFC 8725 and its successor's drafts (rfc8725bis), and in what has been reported of verifiers: `ideas.md`.
"""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.attack.target import Target, bearer
from tests.attack.verdict import Tried
from tests.attack.wire import exchange, request

from devstack.tokens import AUDIENCE, ISSUER, Signer, new_signer

ASKED: Final = {"assistant-api": "/api/agents", "tool-sync": "/v1/tools"}
CHECK: Final = {
    "assistant-api": "curl -i localhost:3001/api/agents -H 'Authorization: Bearer e30.e30.'",
    "tool-sync": "curl -i localhost:3002/v1/tools -H 'Authorization: Bearer e30.e30.'",
}
FOREIGN_CHECK: Final = 'curl -i "localhost:3001/api/agents?orgId=$(uuidgen)" -H "$C"'
_HOUR: Final = 3600
_OF_A_CLINIC: Final = ("tools", "changes", "history", "wanted", "vapi-words", "change-window")
_ED25519_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
SPACING_SECONDS: Final = 0.06
"""A bad token counts for its address, which may show 20 a second: one that meets the limit has not been looked at."""


def encoded(value: object) -> str:
    """A part of a token: JSON, or bytes as they are."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> bytes:
    """The bytes of a part."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def claims(**changes: object) -> dict[str, object]:
    """Those of the platform, good for an hour; ``...`` leaves one out."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "attacker", "role": "platform", "iat": now, "exp": now + _HOUR}
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def forged(signer: Signer) -> Mapping[str, str]:
    """Tokens by what is wrong with each. ``signer`` is the stack's own: what it signs here is wrong in its claims."""
    return {**_by_algorithm(signer), **_by_header(signer), **_by_claims(signer), **_by_form(signer)}


def _signed(signer: Signer, payload: Mapping[str, object] | bytes, header: Mapping[str, object] | None = None) -> str:
    key = serialization.load_pem_private_key(signer.private_key.encode(), None)
    text = f"{encoded(header or {'alg': 'EdDSA', 'typ': 'JWT'})}.{encoded(payload)}"
    return f"{text}.{encoded(key.sign(text.encode()))}"  # type: ignore[union-attr,call-arg]


def _hmac(header: Mapping[str, object], secret: bytes, digest: str = "sha256") -> str:
    text = f"{encoded(header)}.{encoded(claims())}"
    return f"{text}.{encoded(hmac.new(secret, text.encode(), digest).digest())}"


def _by_algorithm(signer: Signer) -> dict[str, str]:
    good = _signed(signer, claims())
    signature = good.rsplit(".", 1)[1]
    pem = signer.public_key.encode()
    public = serialization.load_pem_public_key(pem)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    jwk = json.dumps({"kty": "OKP", "crv": "Ed25519", "x": encoded(der[-32:])}).encode()
    secrets = {"PEM": pem, "PEM without its last line end": pem.strip(), "DER": der, "32 bytes": der[-32:], "JWK": jwk}
    found = {
        f"alg {name!r}, {what}": f"{encoded({'alg': name, 'typ': 'JWT'})}.{encoded(claims())}.{end}"
        for name in ("none", "None", "NONE", "nOnE", "", None)
        for what, end in (("no signature", ""), ("somebody's signature", signature))
    }
    found |= {
        f"HS256 with the public key as its secret, {name}": _hmac({"alg": "HS256"}, secret)
        for name, secret in secrets.items()
    }
    found |= {f"HS{size} with the public key": _hmac({"alg": f"HS{size}"}, pem, f"sha{size}") for size in (384, 512)}
    found |= {
        f"HS256 with the secret {word!r}": _hmac({"alg": "HS256"}, word.encode()) for word in ("", "secret", "\0")
    }
    text = f"{encoded({'alg': 'RS256', 'typ': 'JWT'})}.{encoded(claims())}"
    found["RS256 in the head, EdDSA behind"] = f"{text}.{signature}"
    found["ES256 with a signature of zeros"] = f"{encoded({'alg': 'ES256'})}.{encoded(claims())}.{encoded(bytes(64))}"
    found["EdDSA with a signature of zeros"] = f"{good.rsplit('.', 1)[0]}.{encoded(bytes(64))}"
    found["EdDSA in small letters"] = _signed(signer, claims(), {"alg": "eddsa"})
    found["a list of algorithms"] = _signed(signer, claims(), {"alg": ["EdDSA"]})
    raw = decoded(signature)
    larger = int.from_bytes(raw[32:], "little") + _ED25519_ORDER
    found["the same signature, plus the order of its group"] = (
        f"{good.rsplit('.', 1)[0]}.{encoded(raw[:32] + larger.to_bytes(32, 'little'))}"
    )
    return found


def _by_header(signer: Signer) -> dict[str, str]:
    other = new_signer()
    public = serialization.load_pem_public_key(other.public_key.encode())
    x = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": encoded(x), "alg": "EdDSA", "use": "sig", "kid": "mine"}
    heads: dict[str, Mapping[str, object]] = {
        "a key of one's own": {},
        "that key in the head": {"jwk": jwk},
        "the address of a set of keys": {"jku": "http://127.0.0.1:9/jwks.json", "kid": "mine"},
        "the address of a certificate": {"x5u": "http://127.0.0.1:9/cert.pem"},
        "a certificate in the head": {"x5c": [encoded(b"certificate")]},
        "a kid that is a path": {"kid": "../../../../../../dev/null"},
        "a kid that is SQL": {"kid": "x' UNION SELECT 'secret'--"},
        "a kid of 4 kB": {"kid": "k" * 4096},
        "a kid that nobody knows": {"kid": str(uuid4())},
    }
    found = {name: _signed(other, claims(), {"alg": "EdDSA", **head}) for name, head in heads.items()}
    critical: dict[str, Mapping[str, object]] = {
        "an extension that must be understood": {"crit": ["exp2"], "exp2": 1},
        "an empty list of such": {"crit": []},
        "a list of such that is none": {"crit": "exp"},
        "the extension b64": {"crit": ["b64"], "b64": False},
    }
    found |= {name: _signed(signer, claims(), {"alg": "EdDSA", **head}) for name, head in critical.items()}
    kids: tuple[object, ...] = (7, [], {}, True)
    found |= {f"a kid that is {kid!r}": _signed(signer, claims(), {"alg": "EdDSA", "kid": kid}) for kid in kids}
    found["a kid of /dev/null, and the empty secret"] = _hmac({"alg": "HS256", "kid": "/dev/null"}, b"")
    found["a key of elliptic curves in the head"] = _own_curve()
    return found


def _own_curve() -> str:
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": encoded(numbers.x.to_bytes(32)), "y": encoded(numbers.y.to_bytes(32))}
    return f"{encoded({'alg': 'ES256', 'jwk': jwk})}.{encoded(claims())}.{encoded(bytes(63) + b'1')}"


def _by_claims(signer: Signer) -> dict[str, str]:
    now = int(time.time())
    wrong: dict[str, Mapping[str, object]] = {
        "ended an hour ago": {"exp": now - _HOUR},
        "ends in 1970": {"exp": 0},
        "ends before time began": {"exp": -1},
        "never ends": {"exp": ...},
        "ends in 91 days": {"exp": now + 91 * 86_400},
        "ends in a hundred years": {"exp": now + 100 * 365 * 86_400},
        "ends at a text": {"exp": "tomorrow"},
        "ends at nothing": {"exp": None},
        "ends in a list": {"exp": [now + _HOUR]},
        "begins tomorrow": {"nbf": now + 86_400},
        "was made tomorrow": {"iat": now + 86_400},
        "of another issuer": {"iss": "https://issuer.example"},
        "of the issuer with a slash more": {"iss": f"{ISSUER}/"},
        "of a list of issuers": {"iss": [ISSUER]},
        "of no issuer": {"iss": ...},
        "for another audience": {"aud": "another"},
        "for the audience in capitals": {"aud": AUDIENCE.upper()},
        "for nobody": {"aud": ...},
        "for an empty list": {"aud": []},
        "of no subject": {"sub": ...},
        "of a subject that is a number": {"sub": 7},
        "of no role": {"role": ...},
        "of a role in capitals": {"role": "Platform"},
        "of a list of roles": {"role": ["platform"]},
        "of a clinic without its id": {"role": "org"},
        "of a clinic that is no id": {"role": "org", "org_id": "*"},
        "of a clinic that is a list": {"role": "org", "org_id": [str(uuid4())]},
    }
    found = {name: _signed(signer, claims(**changes)) for name, changes in wrong.items()}
    for name, number in (("1e400", "1e400"), ("NaN", "NaN"), ("Infinity", "Infinity"), ("400 digits", "9" * 400)):
        text = json.dumps(claims(exp="HERE")).replace('"HERE"', number)
        found[f"ends at {name}"] = _signed(signer, text.encode())
    return found


def _by_form(signer: Signer) -> dict[str, str]:
    good = _signed(signer, claims())
    head, body, signature = good.split(".")
    org = signer.org_token(str(uuid4())).split(".")
    return {
        "no signature": f"{head}.{body}",
        "an empty signature": f"{head}.{body}.",
        "half a signature": f"{head}.{body}.{signature[:40]}",
        "a signature with more behind": f"{good}.{signature}",
        "the platform's claims, a clinic's signature": f"{org[0]}.{body}.{org[2]}",
        "one bit of its claims": f"{head}.{body[:-2]}{'A' if body[-2] != 'A' else 'B'}{body[-1]}.{signature}",
        "claims that are a list": _signed(signer, b"[]"),
        "claims that are no JSON": _signed(signer, b"{"),
        "claims nested 3,000 deep": _signed(signer, b"[" * 3000),
        "a head that is a number": f"{encoded(7)}.{body}.{signature}",
        "8 kB of claims": _signed(signer, claims(sub="a" * 8192)),
        "60 kB of dots": "." * 8000,
        "encrypted, by a password hashed two thousand million times": ".".join(
            [encoded({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2s": encoded(b"salt"), "p2c": 2_000_000_000}),
             *[encoded(b"12345678")] * 4]
        ),
        "signed and encrypted at once (a polyglot)": json.dumps(
            {"protected": head, "payload": body, "signature": signature, "ciphertext": "a"}
        ).replace(" ", ""),
    }  # fmt: skip


async def tried(target: Target, service: str) -> Tried:
    """Every token, and every place in which one does not belong."""
    signer, path = target.stack.signer, ASKED[service]
    good = signer.platform_token()
    found = [] if await _status(target, service, path, bearer(good)) == 200 else ["a good token is refused, too"]
    tokens = forged(signer)
    for name, token in tokens.items():
        await asyncio.sleep(SPACING_SECONDS)
        status = await _status(target, service, path, bearer(token))
        if status not in (401, 431):  # 431: it is longer than a head may be
            found.append(f"{name}: answers {status}")
    elsewhere: dict[str, tuple[str, dict[str, str]]] = {
        "in the query": (f"{path}?access_token={good}", {}),
        "in a cookie": (path, {"Cookie": f"access_token={good}; Authorization=Bearer%20{good}"}),
        "in another header": (path, {"X-Authorization": f"Bearer {good}", "Proxy-Authorization": f"Bearer {good}"}),
        "by another scheme": (path, {"Authorization": f"Token {good}"}),
        "without a scheme": (path, {"Authorization": good}),
        "behind another one": (path, {"Authorization": f"Bearer e30.e30.\r\nAuthorization: Bearer {good}"}),
        "in a list": (path, {"Authorization": f"Bearer e30.e30., Bearer {good}"}),
    }
    for name, (where, headers) in elsewhere.items():
        await asyncio.sleep(SPACING_SECONDS)
        if (status := await _status(target, service, where, headers)) != 401:
            found.append(f"a good token {name}: answers {status}")
    count = len(tokens) + len(elsewhere) + 1
    return Tried("tokens", f"forged and misplaced tokens, {service}", count, found, CHECK[service])


async def _status(target: Target, service: str, path: str, headers: dict[str, str]) -> int:
    raw = request("GET", path, headers)
    for _ in range(4):
        heard = await exchange(target.at(service), raw)
        if heard.status != 429:
            return heard.status
        await asyncio.sleep(1)
    return heard.status


async def foreign(target: Target) -> Tried:
    """A clinic's good token, and another clinic's name wherever one can stand."""
    mine, other = bearer(target.token_of(target.mine)), target.neighbour
    org_id, agent = str(other.org_id), other.agent_id
    tool = "bookClinicAppointment"
    api = {
        f"GET /api/agents?orgId={org_id}": None, f"GET /api/agents/{agent}?orgId={org_id}": None,
        f"DELETE /api/agents/{agent}?orgId={org_id}": None, f"PATCH /api/agents/{agent}?orgId={org_id}": {"name": "x"},
        "POST /api/agents": {"name": "x", "orgId": org_id},
        "POST /api/assistants/sync": {"agentId": agent, "orgId": org_id},
        "POST /api/assistants/auto-sync": {"orgId": org_id},
        f"GET /api/assistants/{agent}/status?orgId={org_id}": None, f"GET /api/appointments?orgId={org_id}": None,
        f"GET /api/access?orgId={org_id}": None, f"GET /api/organizations/{org_id}/calendar": None,
        f"PUT /api/organizations/{org_id}/calendar": {}, f"DELETE /api/organizations/{org_id}": None,
        f"PATCH /api/organizations/{org_id}": {"tier": "basic"}, "GET /api/saves": None,
        "POST /api/organizations": {"name": "x"},
        f"POST /api/tools/{tool}/dry-run": {"organizationId": org_id, "arguments": {}},
    }  # fmt: skip
    org = f"/v1/orgs/{org_id}"
    sync = {
        **{f"GET {org}/{what}": None for what in _OF_A_CLINIC},
        f"GET {org}/tools/{tool}/why": None, f"GET {org}/tools/{tool}/settings": None,
        f"PUT {org}/tools/{tool}/settings": {"enabled": False}, f"DELETE {org}/tools/{tool}/settings": None,
        f"DELETE {org}/change-window": None, f"GET {org}/tools/{tool}/pin": None, "GET /v1/tools": None,
        f"POST /v1/tools/{tool}/halt": {"reason": "x"}, "GET /v1/rollouts": None,
        f"POST /v1/tools/{tool}/disable": {"reason": "x"},
    }  # fmt: skip
    found: list[str] = []
    for service, asked in (("assistant-api", api), ("tool-sync", sync)):
        for route, body in asked.items():
            found += await _foreign_one(target, service, route, body, mine)
    return Tried("tokens", "a clinic's token, and another clinic's name", len(api) + len(sync), found, FOREIGN_CHECK)


async def _foreign_one(target: Target, service: str, route: str, body: Any, headers: Mapping[str, str]) -> list[str]:
    method, path = route.split(" ", 1)
    answer = await target.http[service].request(method, path, json=body, headers=dict(headers))
    if answer.status_code in (403, 404):
        return []
    return [f"{method} {path.partition('?')[0]}: answers {answer.status_code}"]
