"""What goes on while a release is replaced, beside saves: callers book, and others read. All go through a balancer.

The balancer is an orchestrator's: it sends to the replicas whose `/readyz` said 200 when it last asked, and where one
refuses the connection, to the next.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any, Final
from uuid import uuid4

import httpx
from tests.chaos.client import Client
from tests.chaos.clinics import Clinics
from tests.chaos.replica import Replica

PROBE_SECONDS: Final = 0.5
CALL_EVERY_SECONDS: Final = 0.4
READ_EVERY_SECONDS: Final = 0.15
WEBHOOK: Final = "/api/vapi/tool-calls"
FIRST_DAY: Final = timedelta(days=7)
HOURS: Final = range(10, 16)


@dataclass(slots=True)
class Balancer:
    """Keeps the replicas that clients go to those that are ready."""

    clients: list[Client]
    replicas: list[Replica]

    async def watch(self) -> None:
        """Ask all of them again and again, until cancelled."""
        async with httpx.AsyncClient() as http:
            while True:
                answers = await asyncio.gather(*(is_ready(http, replica) for replica in self.replicas))
                ready = [replica for replica, yes in zip(self.replicas, answers, strict=True) if yes]
                for client in self.clients:
                    client.replicas = ready
                await asyncio.sleep(PROBE_SECONDS)


async def is_ready(http: httpx.AsyncClient, replica: Replica) -> bool:
    """Whether `/readyz` says 200."""
    try:
        return (await http.get(f"{replica.url}/readyz", timeout=5)).status_code == 200
    except httpx.HTTPError:
        return False


@dataclass(slots=True)
class Traffic:
    """`booked`: the clinic of each call that was told that it has its time; `refused`: what the others were told."""

    api: Client
    tool_sync: Client
    webhook: Client
    clinics: Clinics
    dice: Random
    booked: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    _slots: "count[int]" = field(default_factory=count)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _failed: list[BaseException] = field(default_factory=list)

    @asynccontextmanager
    async def coming(self) -> AsyncIterator[None]:
        """Callers call and readers read while the block runs; those under way are waited for.

        Raises what went wrong in the harness itself.
        """
        crowds = [
            asyncio.create_task(self._again(self._call, CALL_EVERY_SECONDS)),
            asyncio.create_task(self._again(self._read, READ_EVERY_SECONDS)),
        ]
        try:
            yield
        finally:
            for crowd in crowds:
                crowd.cancel()
            await asyncio.wait(crowds)
            while self._tasks:
                await asyncio.wait(set(self._tasks))
        if self._failed:
            raise self._failed[0]

    async def _again(self, act: Callable[[], Coroutine[Any, Any, None]], every_seconds: float) -> None:
        while True:
            await asyncio.sleep(self.dice.expovariate(1 / every_seconds))
            task = asyncio.create_task(act())
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed.append(error)

    async def _call(self) -> None:
        org_id, body = self.clinics.any_org(), _booking(next(self._slots))
        call_id, called = body["message"]["call"]["id"], body["message"]["toolCallList"][0]
        called["function"]["arguments"]["organization_id"] = org_id
        answer = await self.webhook.call("POST", WEBHOOK, json=body)
        heard = str(answer.body)
        if answer.state == "ok" and "Booked for" in heard:
            self.booked[call_id] = org_id
        else:
            self.refused.append(f"{answer.status}: {heard:.200}")

    async def _read(self) -> None:
        org_id, agent = self.clinics.any_org(), self.clinics.any_agent()
        match self.dice.randrange(4):
            case 0:
                await self.tool_sync.call("GET", f"/v1/orgs/{org_id}/tools")
            case 1:
                await self.tool_sync.call("GET", f"/v1/orgs/{org_id}/history")
            case 2:
                await self.tool_sync.call("GET", "/v1/events", params={"after": 0, "limit": 20})
            case _ if agent is not None:
                path = f"/api/assistants/{agent.id}/status"
                await self.api.call("GET", path, params={"orgId": agent.org_id})


def _booking(number: int) -> dict[str, Any]:
    """A call that asks for a time that no other one asks for."""
    day, hour = divmod(number, len(HOURS))
    date = (datetime.now(UTC) + FIRST_DAY + timedelta(days=day)).date().isoformat()
    arguments = {
        "patientName": "Erika Example", "patientPhone": "+4915112345678", "service": "Check-up",
        "appointmentDate": date, "appointmentTime": f"{HOURS[hour]}:00", "definition_version": 2,
    }  # fmt: skip
    called = {
        "id": f"call_{uuid4().hex}", "type": "function",
        "function": {"name": "bookClinicAppointment", "arguments": arguments},
    }  # fmt: skip
    phone = {"id": str(uuid4()), "orgId": str(uuid4()), "type": "inboundPhoneCall"}
    message = {
        "type": "tool-calls", "toolCalls": [called], "toolCallList": [called], "call": phone, "assistant": {},
        "customer": {"number": "+4915112345678"},
    }  # fmt: skip
    return {"message": message}
