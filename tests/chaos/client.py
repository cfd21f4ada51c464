"""A client of assistant-api as a load balancer makes it: any replica, the other one where the first does not listen."""

import time
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Literal

import httpx
from tests.chaos.replica import Replica

ANSWER_SECONDS_MAX: Final = 15.0
REFUSED_BY_VAPI: Final = 422

State = Literal["ok", "fail", "info"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call. `status` None: nobody answered. `body` is empty where there was no JSON object."""

    started: float
    seconds: float
    state: State
    status: int | None
    body: dict[str, Any]
    replayed: bool = False

    @property
    def request_id(self) -> str | None:
        """The id of the save, where the answer names it."""
        found = self.body.get("requestId")
        return found if isinstance(found, str) else None


@dataclass(slots=True)
class Client:
    """Calls assistant-api with the platform's token and keeps the time of every save."""

    http: httpx.AsyncClient
    replicas: list[Replica]
    dice: Random
    answers: list[Answer] = field(default_factory=list)

    async def call(self, method: str, path: str, key: str | None = None, **request: Any) -> Answer:
        """Call once; a replica that refuses the connection has done nothing, so the other one is asked."""
        started, began = time.time(), time.monotonic()
        headers = {} if key is None else {"Idempotency-Key": key}
        answer: httpx.Response | None = None
        state: State = "fail"
        for replica in self.dice.sample(self.replicas, len(self.replicas)):
            try:
                answer = await self.http.request(method, f"{replica.url}{path}", headers=headers, **request)
            except httpx.ConnectError:
                continue
            except httpx.HTTPError:
                state = "info"
            break
        found = Answer(started, time.monotonic() - began, state, None, {})
        if answer is not None:
            replayed = "Idempotent-Replayed" in answer.headers
            found = Answer(
                started, time.monotonic() - began, _state(answer), answer.status_code, _object(answer), replayed
            )
        self.answers.append(found)
        return found


def _state(answer: httpx.Response) -> State:
    if answer.is_success:
        return "ok"
    # A refusal of Vapi's keeps the row, so the save is there; what else is refused did not happen.
    if answer.status_code >= 500 or (answer.status_code == REFUSED_BY_VAPI and "requestId" in _object(answer)):
        return "info"
    return "fail"


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
