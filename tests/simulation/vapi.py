"""A Vapi that keeps what it was told, slowly and not always with an answer; and the way there.

What was sent is executed by the server whatever becomes of the sender. Lists may lag. Every creation is counted.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import aiohttp

from zerotouch_contracts.tools import ToolMarker
from zerotouch_platform.vapi.transport import Answer, Request

from .checks import Checks
from .database import time_of
from .faults import Faults
from .process import outside, process_of_current_task

Json = dict[str, Any]

CALL_SECONDS = 0.2
CLOCKS_AHEAD_MINUTES = (-25, -12, -3, 3, 12, 25)
"""How wrong Vapi's clock may be, beside the database's."""
LATE_SECONDS_MAX = 12.0
"""How late a request may still be executed: the settle time must cover it, and the lag of lists."""
LAG_SECONDS_MAX = 4.0
SEND_SLACK_SECONDS = 0.05
UNSEEN_SECONDS_MAX = 2.0
"""Between the last look at who links a tool and its deletion: the send window and two ways."""
CONNECT_SECONDS = 0.001
"""Between the last look at the clock and the bytes on the wire: where a pause can still make a write late."""


class Server:
    """Tools and assistants of one account."""

    def __init__(self, faults: Faults, checks: Checks) -> None:
        self.tools: dict[str, Json] = {}
        self.assistants: dict[str, Json] = {}
        self._ours: dict[tuple[UUID, str], list[str]] = {}
        self.creations: Counter[tuple[UUID, str]] = Counter()
        self._deleted: Counter[tuple[UUID, str]] = Counter()
        self.late_creations = 0
        """`POST /tool` that were sent late, as their sender slept: each may make a tool beside the one in its place."""
        self.lags = faults.rate("list_lag") > 0
        self._oldest_first = faults.has("oldest_first")
        """The order of Vapi's lists is not documented."""
        clocks = Random(f"clock {faults.plan.seed}")
        self._clock_ahead_seconds = 60.0 * clocks.choice(CLOCKS_AHEAD_MINUTES) if faults.has("skewed_clock") else 0.0
        """To the end of the run."""
        self._faults, self._checks, self._made = faults, checks, 0
        self.list_seconds = 0.0
        """How long a list of all assistants takes after it was read: that of a large account has many pages."""
        self._listed = asyncio.Event()
        self._creations: dict[str, float] = {}
        self.delayed: set[str] = set()
        """Paths of deletions that were sent or executed late."""
        self.lost: set[str] = set()
        """Tools that somebody else deleted: nobody is told, so that a new assistant may still be made with one."""

    def add_assistant(self, body: Json) -> Json:
        """An assistant made by somebody else than tool-sync."""
        self._made += 1
        made = {"id": f"assistant-{self._made:04}", "createdAt": self._stamp(self._now), **body}
        self.assistants[made["id"]] = made
        return made

    def make_assistant(self, body: Json) -> Json:
        """An assistant made by assistant-api, with links already."""
        made = self.add_assistant(body)
        self._creations[made["id"]] = self._now
        return made

    def takes(self, method: str, path: str, query: Mapping[str, str]) -> float:
        """How much longer than others this answer takes."""
        if (method, path) != ("GET", "/assistant") or "createdAtGe" in query:
            return 0.0
        self._listed.set()
        return self.list_seconds

    async def until_listed(self) -> None:
        """Until all assistants are about to be listed to somebody, and what comes now is not among them."""
        await self._listed.wait()

    def add_tool(self, tool_id: str, name: str | None = None) -> Json:
        """A tool made by somebody else, a function where it has a name."""
        body: Json = {"type": "endCall"} if name is None else {"type": "function", "function": {"name": name}}
        self.tools[tool_id] = {"id": tool_id, "createdAt": self._stamp(0.0), **body}
        return self.tools[tool_id]

    def make_twice(self, org_id: UUID, name: str) -> None:
        """Somebody of ours who slept has made the org's tool a second time; nobody here judges that."""
        self._made += 1
        [tool] = self.live_tools(org_id, name)
        twin = {**tool, "id": f"tool-{self._made:04}", "createdAt": self._stamp(self._now)}
        self.tools[twin["id"]] = twin
        self._ours[org_id, name].append(twin["id"])

    def lose_tool(self, tool_id: str) -> None:
        """Somebody deletes a tool of ours, whoever links it."""
        self.tools.pop(tool_id, None)
        self.lost.add(tool_id)

    def says(self, text: str) -> bool:
        """Whether some tool has this as its description or its server."""
        texts = (
            (tool.get("function", {}).get("description"), tool.get("server", {}).get("url"))
            for tool in self.tools.values()
        )
        return any(text in pair for pair in texts)

    def live_tools(self, org_id: UUID, name: str) -> list[Json]:
        """The org's tools of this name that exist."""
        return [self.tools[i] for i in self._ours.get((org_id, name), ()) if i in self.tools]

    def owner_of(self, tool_id: str) -> UUID | None:
        """The org of a tool of ours; None for a foreign one, or one that is gone."""
        tool = self.tools.get(tool_id)
        marker = ToolMarker.of(tool) if tool is not None else None
        return None if marker is None else marker.org_id

    def execute(self, method: str, path: str, query: Mapping[str, str], body: Json | None) -> tuple[int, Any]:
        """Do what was asked for; status and answer."""
        kind, _, item_id = path.strip("/").partition("/")
        items = self.tools if kind == "tool" else self.assistants
        match method, item_id:
            case "POST", "" if kind == "tool":
                assert body is not None
                return 201, self._create_tool(body)
            case "GET", "":
                return 200, self._page(items, query, lags=kind == "tool")
            case _, _ if item_id not in items:
                return 404, {"message": "Not found", "statusCode": 404}
            case "GET", _:
                return 200, items[item_id]
            case "PATCH", _:
                assert body is not None
                items[item_id] = {**items[item_id], **body, "updatedAt": self._stamp(self._now)}
                return 200, items[item_id]
            case "DELETE", _:
                gone = items.pop(item_id)
                if (marker := ToolMarker.of(gone)) is not None:
                    self._deleted[marker.org_id, marker.name] += 1
                    self._no_dangling_link(item_id)
                return 200, gone
            case _:
                raise AssertionError((method, path))

    def _no_dangling_link(self, tool_id: str) -> None:
        for assistant in self.assistants.values():
            if tool_id in (assistant.get("model") or {}).get("toolIds", ()):
                made_at = self._creations.get(assistant["id"], 0.0)
                # Made behind the last look: Vapi deletes without a condition, so that this is left to the age of ids.
                if self._now - made_at <= UNSEEN_SECONDS_MAX or f"/tool/{tool_id}" in self.delayed:
                    self._checks.reached["linked behind the last look"] += 1
                    continue
                self._checks.violated(self._now, f"tool {tool_id} was deleted while {assistant['id']} links it")

    def _create_tool(self, body: Json) -> Json:
        self._made += 1
        tool = {"id": f"tool-{self._made:04}", "createdAt": self._stamp(self._now), **body}
        marker = ToolMarker.of(tool)
        assert marker is not None, "a tool without our marker"
        live = {tool["id"] for tool in self.live_tools(marker.org_id, marker.name)}
        self._checks.reached["made beside what a restore gave up"] += bool(live and live <= self._checks.given_up)
        going = {*self._checks.doomed.values(), *self._checks.surplus_noted}
        self._checks.reached["made beside a tool on its way out"] += bool(live and live <= going)
        if live - self._checks.given_up - going:
            self._checks.surplus += 1
            self._checks.reached["surplus"] += 1
            if self._checks.surplus > self.late_creations:
                self._checks.violated(
                    self._now,
                    f"surplus creation {self._checks.surplus} of {marker.name} for {marker.org_id}, of which "
                    f"{self.late_creations} were sent by who had slept",
                )
        self.tools[tool["id"]] = tool
        self._ours.setdefault((marker.org_id, marker.name), []).append(tool["id"])
        self.creations[marker.org_id, marker.name] += 1
        return tool

    def _page(self, items: dict[str, Json], query: Mapping[str, str], *, lags: bool) -> list[Json]:
        now = self._now
        lag = self._faults.random.random() * LAG_SECONDS_MAX if lags and self.lags and not self._faults.healed else 0.0
        if lag:
            self._faults.fired["list_lag"] += 1
        since, until = query.get("createdAtGe", ""), query.get("createdAtLt", "~")
        visible = self._stamp(now - lag)
        found = [item for item in items.values() if since <= item["createdAt"] < until and item["createdAt"] <= visible]
        found.sort(key=lambda item: (item["createdAt"], item["id"]), reverse=not self._oldest_first)
        return found[: int(query.get("limit", "100"))]

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _stamp(self, now: float) -> str:
        return self._time_of(now).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def date(self) -> str:
        """The header ``Date`` of an answer that is sent now: Vapi's time, in whole seconds."""
        return format_datetime(self._time_of(self._now), usegmt=True)

    def _time_of(self, now: float) -> datetime:
        return time_of(now + self._clock_ahead_seconds)


class Transport:
    """The way to Vapi. ``on_send`` is told what a process is about to send, at the moment of sending.

    ``read`` is what each process was last shown of an assistant or a tool, by its name and the path.
    """

    def __init__(self, server: Server, faults: Faults, checks: Checks, on_send: Any) -> None:
        self.read: dict[tuple[str, str], Json] = {}
        self.late: set[str] = set()
        """Paths of writes that were sent late, as their sender slept in the moment before the bytes left."""
        self._server, self._faults, self._on_send = server, faults, on_send
        self._reached = checks.reached

    async def send(self, request: Request, limit: int) -> Answer:
        """One exchange, or what is left of it."""
        fault, url = self._faults.vapi(), urlsplit(request.url)
        body = json.loads(request.body) if request.body else None
        if fault == "refuse_connection":
            await asyncio.sleep(0.01)
            key: Any = None
            raise aiohttp.ClientConnectorError(key, OSError(111, "refused"))
        sender = process_of_current_task()
        self._on_send(sender, request.method, url.path, body)
        await self._connect(request.method, url.path)
        query = dict(parse_qsl(url.query))
        answered: asyncio.Future[tuple[int, Any, str]] = asyncio.get_running_loop().create_future()
        outside(self._serve(fault, request.method, url.path, query, body, answered))
        status, answer, date = await asyncio.shield(answered)
        if status == 0:
            raise aiohttp.ServerDisconnectedError("simulated: the connection was cut")
        is_shown = request.method == "GET" or (url.path.startswith("/tool/") and status < 300)
        if is_shown and sender is not None and isinstance(answer, dict):
            self.read[sender.name, url.path] = answer
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return Answer(status, {"date": date}, content if len(content) <= limit else None)

    async def close(self) -> None:
        """Nothing is open."""

    async def _connect(self, method: str, path: str) -> None:
        """Who is stopped in here sends late, whatever was right before. At rest nothing of it may be left."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(CONNECT_SECONDS)
        if method != "GET" and loop.time() - began > SEND_SLACK_SECONDS:
            self._reached["sent late"] += 1
            self.late.add(path)
            self._server.delayed.add(path)
            self._server.late_creations += method == "POST"

    async def _serve(
        self,
        fault: str | None,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Json | None,
        answered: "asyncio.Future[tuple[int, Any, str]]",
    ) -> None:
        half = CALL_SECONDS / 2 * (0.5 + self._faults.random.random() if self._faults.chance else 1.0)
        await asyncio.sleep(half)
        status, answer = self._refusal(fault)
        if status is None:
            if fault == "late":
                self._server.delayed.add(path)
                await asyncio.sleep(self._faults.random.random() * LATE_SECONDS_MAX)
            if fault == "lose_request":
                status, answer = 0, None
            else:
                status, answer = self._server.execute(method, path, query, body)
                if fault == "500_after":
                    status, answer = 500, {"message": "Internal server error"}
                elif fault == "lose_answer":
                    status, answer = 0, None
                elif fault == "mangle":
                    answer = b"<html>Bad gateway</html>"
        date = self._server.date()
        await asyncio.sleep(half + self._server.takes(method, path, query))
        if not answered.done():
            answered.set_result((status or 0, answer, date))

    def _refusal(self, fault: str | None) -> tuple[int | None, Any]:
        if fault == "500_before":
            return 502, {"message": "Bad gateway"}
        if fault == "429":
            return 429, {"message": "Rate limit exceeded", "statusCode": 429}
        return None, None
