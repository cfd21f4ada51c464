"""Whom the attacks are sent to: a stack on this machine, and two clinics on it."""

import asyncio
import ipaddress
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx

from devstack.tokens import Signer

SERVICES = ("assistant-api", "tool-sync")
PORTS = {"assistant-api": "3001", "tool-sync": "3002"}
"""Of `make up`; the checks name them, and :meth:`Target.here` those of this stack."""
ANSWER_SECONDS_MAX = 20.0
PROMPT = "You answer the phone of a clinic. " + "\N{TELEPHONE RECEIVER}" * 39_000
"""Long: 160 kB as it is sent."""


class NotLoopback(Exception):
    """The address is not of this machine: nothing is sent there."""


class NotAttackable(Exception):
    """The stack does not do what an attack begins with; the message says what."""


def loopback(url: str) -> str:
    """The URL, whose host must be a literal loopback address; raises :class:`NotLoopback`."""
    try:
        if ipaddress.ip_address(urlsplit(url).hostname or "").is_loopback:
            return url
    except ValueError:
        pass
    raise NotLoopback(f"{url} is not a loopback address (127.0.0.1 or [::1]): this attacks the own machine only")


@dataclass(frozen=True, slots=True)
class Stack:
    """What is known of a running stack. ``env`` are its addresses, as `devstack env` prints them."""

    urls: Mapping[str, str]
    signer: Signer
    webhook_token: str
    env: Mapping[str, str]

    @property
    def log_file(self) -> Path:
        """Where both services write."""
        return Path(self.env["LOG_FILE"])

    def __post_init__(self) -> None:
        for url in self.urls.values():
            loopback(url)


@dataclass(frozen=True, slots=True)
class Clinic:
    """An organization with one agent, and with tokens of its own."""

    org_id: UUID
    agent_id: str


@dataclass(frozen=True, slots=True)
class Target:
    """The stack, the clinic of the attacker and that of a neighbour; ``http`` asks each service, by its name.

    ``canary`` is the secret of this run: it stands in prompts and in every hostile request.
    """

    stack: Stack
    http: Mapping[str, httpx.AsyncClient]
    mine: Clinic
    neighbour: Clinic
    log_from: int
    """Where the log file ended before."""
    canary: str = field(default_factory=lambda: f"canary-{uuid4().hex}")

    def at(self, service: str) -> tuple[str, int]:
        """Host and port of a service."""
        url = urlsplit(self.stack.urls[service])
        assert url.hostname is not None
        assert url.port is not None
        return url.hostname, url.port

    def here(self, check: str) -> str:
        """A command with this stack's ports."""
        for service, port in PORTS.items():
            check = check.replace(port, str(self.at(service)[1]))
        return check

    def token_of(self, clinic: Clinic) -> str:
        """A clinic's own token."""
        return self.stack.signer.org_token(str(clinic.org_id))

    @property
    def platform(self) -> dict[str, str]:
        """The header of the platform."""
        return bearer(self.stack.signer.platform_token())

    @classmethod
    async def opened(cls, stack: Stack, http: Mapping[str, httpx.AsyncClient]) -> Self:
        """Two clinics are made; :meth:`closed` deletes them."""
        platform = bearer(stack.signer.platform_token())
        log_from = (await asyncio.to_thread(stack.log_file.stat)).st_size
        mine, neighbour = [await _clinic(http["assistant-api"], platform, name) for name in ("Attacker", "Neighbour")]
        return cls(stack, http, mine, neighbour, log_from)

    async def closed(self) -> None:
        """Both clinics are on their way out."""
        for clinic in (self.mine, self.neighbour):
            await self.http["assistant-api"].delete(f"/api/organizations/{clinic.org_id}", headers=self.platform)


def bearer(token: str) -> dict[str, str]:
    """The header of a token."""
    return {"Authorization": f"Bearer {token}"}


async def _clinic(http: httpx.AsyncClient, platform: Mapping[str, str], name: str) -> Clinic:
    org_id = UUID((await _made(http, platform, "/api/organizations", {"name": name}))["id"])
    agent = {"id": "reception", "orgId": str(org_id), "name": "Reception", "systemPrompt": PROMPT}
    await _made(http, platform, "/api/agents", agent)
    path = f"/api/assistants/reception/status?orgId={org_id}"
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while not (status := (await http.get(path, headers=dict(platform))).json()).get("success"):
        if time.monotonic() > deadline:
            raise NotAttackable(f"no save ends: GET {path} says {status}")
        await asyncio.sleep(0.1)
    return Clinic(org_id, "reception")


async def _made(
    http: httpx.AsyncClient, platform: Mapping[str, str], path: str, body: Mapping[str, object]
) -> dict[str, Any]:
    answer = await http.post(path, json=body, headers=platform)
    if answer.status_code not in (200, 201, 202):
        raise NotAttackable(f"POST {path} answers {answer.status_code}: {answer.text[:200]}")
    found: dict[str, Any] = answer.json()
    return found
