"""The list of hostile requests: one JSON object a line, in `tests/corpus/hostile_requests.jsonl`.

    {"service": "tool-sync", "route": "GET /v1/orgs/{org_id}/tools", "place": "query at", "value": "infinity"}

``place``: `path NAME` and `query NAME` as they stand in the URL, percent-encoded; `header NAME` in Latin-1; `body`.
``also`` is the rest of the query, ``body`` one that is none of the harm. In a value `{own}` is the clinic's id,
`CANARY` a secret, and `{a*65}` 65 times an a.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from starlette.types import ASGIApp
from tests.support.asgi import Answer, ask

LEAST: Final = 200
"""Of both services together, and of each by itself."""
_FILE: Final = Path(__file__).parents[1] / "corpus" / "hostile_requests.jsonl"
_REPEATED: Final = re.compile(r"\{([^*]{1,8})\*(\d{1,5})\}")


@dataclass(frozen=True, slots=True)
class Hostile:
    """One request; ``line`` is where it stands."""

    line: int
    service: str
    route: str
    place: str
    value: str
    also: str = ""
    body: str | None = None

    def __str__(self) -> str:
        return f"line {self.line}: {self.service} {self.route}, {self.place}: {self.value[:60]!a}"

    def target(self, values: dict[str, str]) -> str:
        """Path and query, with ``values`` for the parameters that are not the harm."""
        kind, _, name = self.place.partition(" ")
        path = self.route.partition(" ")[2]
        for parameter in re.findall(r"\{(\w+)\}", path):
            harm = kind == "path" and parameter == name
            path = path.replace(f"{{{parameter}}}", self.filled(values) if harm else values[parameter])
        query = [f"{name}={self.filled(values)}"] if kind == "query" else []
        also = self.also.replace("{own}", values["org_id"])
        return "?".join([path, "&".join([*query, *([also] if also else [])])]).rstrip("?")

    def filled(self, values: dict[str, str]) -> str:
        """The value as it is sent."""
        long = _REPEATED.sub(lambda match: match[1] * int(match[2]), self.value)
        return long.replace("{own}", values["org_id"]).replace("CANARY", values["canary"])

    def headers(self, values: dict[str, str]) -> dict[str, str]:
        """The header that is the harm, if one is."""
        kind, _, name = self.place.partition(" ")
        return {name: self.filled(values)} if kind == "header" else {}

    def payload(self, values: dict[str, str]) -> bytes | None:
        """The body; None where there is none."""
        text = self.filled(values) if self.place == "body" else self.body
        return None if text is None else text.replace("CANARY", values["canary"]).encode("latin-1")


def read_all(service: str) -> list[Hostile]:
    """All of one service."""
    lines = enumerate(_FILE.read_text().splitlines(), 1)
    return [found for number, line in lines if (found := Hostile(number, **json.loads(line))).service == service]


def values_of(org_id: UUID, canary: str) -> dict[str, str]:
    """What stands where the harm is not."""
    return {
        "org_id": str(org_id),
        "own": str(org_id),
        "canary": canary,
        "agent_id": "reception",
        "tool": "bookClinicAppointment",
        "version": "1",
        "rollout_id": "none",
        "command": "pause",
        "assistant": "none",
    }


async def send(app: ASGIApp, hostile: Hostile, values: dict[str, str], bearer: dict[str, str]) -> Answer:
    """One request, with ``bearer`` unless the token is the harm."""
    headers = {**bearer, **hostile.headers(values)}
    method = hostile.route.partition(" ")[0]
    return await ask(app, method, hostile.target(values), headers, hostile.payload(values))


async def digest(connection: "asyncpg.Connection[asyncpg.Record]", *, but: Iterable[str] = ()) -> dict[str, str]:
    """A hash of every table's content. ``but``: tables that a service writes by itself."""
    names = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
    )
    return {
        name: await connection.fetchval(
            f"SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')) FROM {name} t"  # noqa: S608
        )
        for (name,) in names
        if name not in but
    }


async def tried(app: ASGIApp, requests: Iterable[Hostile], values: dict[str, str], token: str) -> list[str]:
    """What is wrong with the answers, and with what was logged meanwhile; empty where all is as it has to be."""
    found: list[str] = []
    with structlog.testing.capture_logs() as logged:
        for hostile in requests:
            told = len(logged)
            answer = await send(app, hostile, values, {"Authorization": f"Bearer {token}"})
            problems = [_wrong(answer), *(f"alarm: {entry}" for entry in logged[told:] if entry.get("alarm"))]
            said = answer.body.decode() + str(answer.headers) + str(logged[told:])
            problems += [f"repeats a secret: {said}" for secret in (values["canary"], token) if secret in said]
            found += [f"{hostile}: {problem}" for problem in problems if problem]
    return found


def _wrong(answer: Answer) -> str | None:
    if answer.failed is not None or not 400 <= answer.status < 500:
        return f"{answer.status} {answer.failed!r} {answer.body[:300]!r}"
    if answer.headers.get("content-type") != "application/problem+json" or "code" not in json.loads(answer.body):
        return f"no problem document: {answer.headers} {answer.body[:300]!r}"
    return None


def by_route(requests: Iterable[Hostile]) -> Counter[str]:
    """How many requests each route gets."""
    return Counter(hostile.route for hostile in requests)
