"""The Vapi sandbox as a process of its own."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from devstack import process
from devstack.ports import HOST, free_port

START_SECONDS = 20.0
ACCOUNTS: Final = {name: f"acc0{ord(name):04x}-0000-4000-8000-000000000001" for name in "abc"}
"""Accounts beside the platform's, by a short name: Vapi's `orgId` of each. Clinics may have them."""


def account_key(name: str, number: int = 1) -> str:
    """A key of such an account; there are two of each."""
    return f"sandbox-account-{name}-key-{number}"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox: its base URL (no trailing slash), a key that it accepts, and the token of its webhooks."""

    url: str
    api_key: str
    child: process.Child
    webhook_token: str | None = None

    async def stop(self) -> None:
        """Stops the process; what it held is gone."""
        await self.child.stop()


async def start(
    *, log: Path, port: int | None = None, detached: bool = False, webhook_token: str | None = None
) -> Sandbox:
    """Starts a sandbox, on a free port by default; returns once it answered an authenticated request.

    `webhook_token` is the bearer token that its simulated calls bring along; without one they bring none.
    """
    from vapi_sandbox.settings import DEFAULT_KEY, DEFAULT_VAPI_ORG

    port = free_port() if port is None else port
    url = f"http://{HOST}:{port}"
    child = process.start(
        "Vapi sandbox",
        [
            sys.executable,
            "-m",
            "vapi_sandbox",
            "--host",
            HOST,
            "--port",
            str(port),
            *_keys({DEFAULT_KEY: DEFAULT_VAPI_ORG}),
        ],
        log=log,
        env={"VAPI_SANDBOX_WEBHOOK_TOKEN": webhook_token} if webhook_token else None,
        detached=detached,
    )
    await child.ready(lambda: not_answering(url, DEFAULT_KEY), START_SECONDS)
    return Sandbox(url, DEFAULT_KEY, child, webhook_token)


def _keys(platform: dict[str, str]) -> list[str]:
    others = {account_key(name, number): org for name, org in ACCOUNTS.items() for number in (1, 2)}
    return [part for key, org in (platform | others).items() for part in ("--key", f"{key}={org}")]


async def not_answering(url: str, api_key: str) -> str | None:
    """A health check: lists one tool with the key; says what went wrong, or None."""
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            answer = await client.get(
                f"{url}/tool", params={"limit": 1}, headers={"Authorization": f"Bearer {api_key}"}
            )
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return None if answer.status_code == 200 else f"GET {url}/tool answers {answer.status_code}: {answer.text[:200]}"
