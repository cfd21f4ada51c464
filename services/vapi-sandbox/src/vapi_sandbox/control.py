"""The control plane under `/__sandbox`: dials, reset, journal, counters, state, simulated calls, health.

Open to loopback clients; with a control token, to whoever bears it and nobody else.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vapi_sandbox.answers import failure
from vapi_sandbox.clock import iso_ms
from vapi_sandbox.dials import Dials, document, merged, parse_dials
from vapi_sandbox.javascript import from_json, to_json
from vapi_sandbox.records import KINDS, Resource, config_hash
from vapi_sandbox.sandbox import Sandbox
from vapi_sandbox.simulated_call.order import CallOrder
from vapi_sandbox.simulated_call.simulator import Refused, Simulator

PAGE_DEFAULT = 1000
PAGE_MAX = 10_000

Handler = Callable[[Request], Awaitable[Response]]


class _Reset(BaseModel):
    model_config = ConfigDict(extra="forbid")

    only: list[Literal["resources", "journal", "dials"]] = ["resources", "journal", "dials"]


class ControlPlane:
    """The handlers of `/__sandbox`, over one sandbox."""

    def __init__(self, sandbox: Sandbox, simulator: Simulator) -> None:
        self._sandbox = sandbox
        self._simulator = simulator

    def routes(self) -> list[Route]:
        """Return the routes, each but the health check behind the guard."""
        guarded: list[tuple[str, str, Handler]] = [
            ("/dials", "GET", self.get_dials),
            ("/dials", "PUT", self.put_dials),
            ("/dials", "PATCH", self.patch_dials),
            ("/reset", "POST", self.reset),
            ("/journal", "GET", self.journal),
            ("/summary", "GET", self.summary),
            ("/state", "GET", self.state),
            ("/versions", "GET", self.versions),
            ("/calls", "POST", self.call),
        ]
        routes = [Route(path, self._guard(handler), methods=[method]) for path, method, handler in guarded]
        return [*routes, Route("/livez", self.livez)]

    async def livez(self, request: Request) -> Response:
        """Say that the process answers."""
        return _json({"status": "ok"})

    async def get_dials(self, request: Request) -> Response:
        """Return the dials in force, without rules that have ended."""
        return _json(document(self._sandbox.faults.standing()))

    async def put_dials(self, request: Request) -> Response:
        """Replace all dials: what the document leaves out returns to its default."""
        return await self._turn(request, parse_dials, self._sandbox.faults.turn)

    async def patch_dials(self, request: Request) -> Response:
        """Replace single dials; rules that stay the same keep the shots they have left."""
        return await self._turn(request, lambda text: merged(self._sandbox.dials, text), self._sandbox.faults.adjust)

    async def reset(self, request: Request) -> Response:
        """Forget everything, or only the parts in `{"only": ["resources", "journal", "dials"]}`."""
        try:
            only = _Reset.model_validate_json(await request.body() or b"{}").only
        except ValidationError as error:
            return _refusal(_sentences(error))
        self._sandbox.reset(resources="resources" in only, journal="journal" in only, dials="dials" in only)
        return _json({"reset": list(only)})

    async def journal(self, request: Request) -> Response:
        """Return a page of the journal by `after` (sequence), `limit`, `method`, `path`; no `next_after` is the end."""
        query = request.query_params
        try:
            after, limit = int(query.get("after", 0)), int(query.get("limit", PAGE_DEFAULT))
        except ValueError:
            return _refusal(["after and limit must be whole numbers"])
        if after < 0 or not 1 <= limit <= PAGE_MAX:
            return _refusal([f"after must not be negative, limit must be 1 to {PAGE_MAX}"])
        entries = self._sandbox.journal.page(after, limit, query.get("method"), query.get("path"))
        next_after = entries[-1].sequence if len(entries) == limit else None
        return _json({"entries": [entry.document() for entry in entries], "next_after": next_after})

    async def summary(self, request: Request) -> Response:
        """Return the counters since the last reset, and which tools live now under which marker and name."""
        sandbox = self._sandbox
        return _json(
            {
                **sandbox.tally.document(),
                "live_tools": self._live_tools(),
                "rules_fired": dict(sandbox.faults.fired),
                "busiest_minute": sandbox.windows.busiest(),
                "requests_total": len(sandbox.journal),
                "requests_in_flight": sandbox.journal.in_flight,
            }
        )

    async def state(self, request: Request) -> Response:
        """Return every tool and assistant, oldest first, by Vapi org."""
        store = self._sandbox.store
        parts = []
        for vapi_org in store.vapi_orgs():
            tools = b",".join(r.body for r in store.shelf(vapi_org, "tool").all())
            assistants = b",".join(r.body for r in store.shelf(vapi_org, "assistant").all())
            parts.append(to_json(vapi_org) + b':{"tools":[' + tools + b'],"assistants":[' + assistants + b"]}")
        return Response(b'{"vapi_orgs":{' + b",".join(parts) + b"}}", media_type="application/json")

    async def versions(self, request: Request) -> Response:
        """Return the versions of a tool or an assistant that are kept, oldest first; the API has no route for them."""
        resource_id, store = request.query_params.get("id", ""), self._sandbox.store
        shelves = [store.shelf(org, kind) for org in store.vapi_orgs() for kind in KINDS]
        return _json([_version(kept) for shelf in shelves for kept in shelf.versions(resource_id)])

    async def call(self, request: Request) -> Response:
        """Simulate a call of an assistant: deliver the webhooks of its tool calls, and say what the model heard."""
        try:
            order = CallOrder.model_validate(from_json(await request.body()))
        except ValidationError as error:
            return _refusal(_sentences(error))
        except ValueError as error:
            return _refusal([f"the body is no JSON: {error}"])
        report = await self._simulator.run(order)
        return _refusal(report.problems) if isinstance(report, Refused) else _json(report)

    def _live_tools(self) -> list[dict[str, Any]]:
        live: dict[tuple[str, str | None, str | None], list[str]] = {}
        for vapi_org in self._sandbox.store.vapi_orgs():
            for tool in self._sandbox.store.shelf(vapi_org, "tool").all():
                live.setdefault((vapi_org, tool.facts.marker, tool.facts.name), []).append(tool.id)
        return [
            {"vapi_org": vapi_org, "organization_id": marker, "tool_name": name, "ids": ids}
            for (vapi_org, marker, name), ids in live.items()
        ]

    async def _turn(
        self, request: Request, read: Callable[[bytes], Dials], put_in_force: Callable[[Dials], None]
    ) -> Response:
        try:
            dials = read(await request.body())
        except ValidationError as error:
            return _refusal(_sentences(error))
        except ValueError as error:
            return _refusal([str(error)])
        put_in_force(dials)
        return _json(document(dials))

    def _guard(self, handler: Handler) -> Handler:
        token = self._sandbox.settings.control_token

        async def guarded(request: Request) -> Response:
            if token is not None:
                given = request.headers.get("authorization", "")
                if not secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
                    return _answer(failure(401, "the control plane needs its token as Bearer").body, 401)
            elif not _is_loopback(request):
                return _answer(failure(403, "without a control token only loopback clients may turn dials").body, 403)
            return await handler(request)

        return guarded


def _version(kept: Resource) -> dict[str, Any]:
    """Return a version as the API's own schema has it, with the content in `document` (SDK 3.0.0 `ToolVersion`)."""
    return {
        "version": kept.label,
        "parentVersion": f"v{kept.version - 1}" if kept.version > 1 else None,
        "configHash": config_hash(kept.content()),
        "createdBy": None,
        "createdAt": iso_ms(kept.updated_ms),
        "document": from_json(kept.body),
    }


def _is_loopback(request: Request) -> bool:
    if request.client is None:
        return True  # a UNIX socket, or a call within the process
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _sentences(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]


def _json(document: object) -> Response:
    return _answer(to_json(document), 200)


def _refusal(problems: list[str]) -> Response:
    return _answer(failure(400, problems).body, 400)


def _answer(body: bytes, status: int) -> Response:
    return Response(body, status, media_type="application/json")
