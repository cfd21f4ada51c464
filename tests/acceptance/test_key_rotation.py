"""An identity provider changes its keys: both services follow it without a restart."""

import json
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.eventually import eventually

from devstack.databases import Service
from devstack.tokens import AUDIENCE, ISSUER

from .programs import started
from .world import World

OLD, NEW = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
ROUTE: dict[Service, str] = {"assistant_api": "/api/agents", "tool_sync": "/v1/tools"}


def token(key: Ed25519PrivateKey, kid: str) -> dict[str, str]:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "somebody", "role": "platform", "exp": time.time() + 600}
    return {"authorization": "Bearer " + jwt.encode(claims, key, "EdDSA", headers={"kid": kid})}


def written(file: Path, **keys: Ed25519PrivateKey) -> None:
    items = [
        {**json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key())), "kid": kid} for kid, key in keys.items()
    ]
    file.write_text(json.dumps({"keys": items}), encoding="utf-8")


@pytest.mark.parametrize("service", ["assistant_api", "tool_sync"])
async def test_a_new_key_lets_in_and_an_old_one_no_more(world: World, tmp_path: Path, service: Service) -> None:
    file = tmp_path / "jwks.json"
    settings = {"JWT_PUBLIC_KEY": "", "JWT_JWKS_FILE": str(file), "JWT_JWKS_SECONDS": "0.2"}
    async with started(world, service, tmp_path, world.stack.database(service), **settings) as running:

        async def lets_in(key: Ed25519PrivateKey, kid: str) -> bool:
            return bool((await running.http.get(ROUTE[service], headers=token(key, kid))).status_code != 401)

        await running.not_ready_because("JWT_JWKS_FILE cannot be read")
        written(file, old=OLD)
        await eventually(lambda: lets_in(OLD, "old"))
        assert not await lets_in(NEW, "new")
        written(file, old=OLD, new=NEW)
        await eventually(lambda: lets_in(NEW, "new"))
        assert await lets_in(OLD, "old")
        file.unlink()
        assert await lets_in(NEW, "new")
        written(file, new=NEW)

        async def is_out() -> bool:
            return not await lets_in(OLD, "old")

        await eventually(is_out)
        assert await lets_in(NEW, "new")
