"""Clinics with accounts of their own, in tests: keys of the sandbox, and what is in each account."""

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import httpx
from pydantic import SecretStr

from devstack.databases import DatabaseUrls
from devstack.sandbox import ACCOUNTS, Sandbox, account_key

from .harness import Harness, Vapi, make_settings, running

MATERIAL: Final = {name: base64.b64encode(os.urandom(32)).decode() for name in ("new", "old")}
ENVELOPE: Final = SecretStr(f"old:{MATERIAL['old']}")
"""Of the service as it starts; `new` comes later."""
BOTH: Final = SecretStr(",".join(f"{name}:{key}" for name, key in MATERIAL.items()))


def account_of(name: str) -> str:
    """What we call an account of the sandbox."""
    return f"vapi-{ACCOUNTS[name]}"


async def fill(url: str, name: str) -> str:
    """Make an assistant in an account, so that it says whose it is; its id."""
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {account_key(name)}"}) as api:
        made = await api.post("/assistant", json={"name": "the agency's own"})
        made.raise_for_status()
        return str(made.json()["id"])


async def names_in(url: str, key: str) -> list[str]:
    """What the assistants of an account are called."""
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}) as api:
        return sorted(str(one.get("name")) for one in (await api.get("/assistant")).raise_for_status().json())


async def give(harness: Harness, org_id: UUID, name: str, number: int = 1, **values: Any) -> httpx.Response:
    """Give a clinic an account."""
    path, body = f"/api/organizations/{org_id}/vapi-key", {"key": account_key(name, number), **values}
    return await harness.http.put(path, json=body, headers=harness.bearer())


@asynccontextmanager
async def with_accounts(urls: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, **changes: Any) -> AsyncIterator[Harness]:
    """The service with an envelope key."""
    settings = make_settings(urls, sandbox, **{"vapi_key_envelope_keys": ENVELOPE, **changes})
    async with running(settings, urls, vapi) as harness:
        yield harness
