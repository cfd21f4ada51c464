"""Every route of an application, asked with every kind of token: who is let past the token and who is not.

What both services promise of their tables of needs stands here as tests; each service's module imports them and says by
the fixture ``served`` what they are about. No database is needed to refuse.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, Final
from uuid import UUID

import httpx
import jwt
import pytest
import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from devstack.tokens import AUDIENCE, ISSUER, new_signer
from zerotouch_platform.auth import AnyScope, Need, RouteNeed, Scope

SIGNER: Final = new_signer()
ORG: Final = UUID("0b7e3c1e-3a64-4b3e-9a55-5d4f0a6c9a10")
CLAIMS: Final[Mapping[str, dict[str, object] | None]] = {
    "nobody": None,
    "platform": {"role": "platform"},
    "platform, with a scope": {"role": "platform", "scope": "sync"},
    "org": {},
    "org, without any scope": {"scope": ""},
    "org, with unknown scopes": {"scope": "openid profile"},
    **{f"org, {scope}": {"scope": scope.value} for scope in Scope},
    "org, all scopes": {"scope": [scope.value for scope in Scope]},
}
_PLACES: Final = {"command": "pause", "version": "1", "org_id": str(ORG)}
Route = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Served:
    """An application with its needs. ``table`` is the name of its table in ``module``, of which ``some`` is a route.

    ``own_credential``: routes that ask for no token and refuse all the same.
    """

    app: FastAPI
    needs: Mapping[Route, RouteNeed]
    module: ModuleType
    table: str
    some: Route
    own_credential: frozenset[Route] = frozenset()

    def http(self) -> httpx.AsyncClient:
        """A client."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://service")


def routes(app: FastAPI) -> Iterator[Route]:
    """Method and path of each route that we made; documentation pages are FastAPI's."""
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute):
            for method in context.methods or ():
                yield method, str(context.path)


@cache
def token_of(who: str, org_id: UUID = ORG, private_key: str = SIGNER.private_key) -> str | None:
    """A token of one of :data:`CLAIMS`; None for nobody."""
    if (claims := CLAIMS[who]) is None:
        return None
    exp = int(time.time()) + 3600
    base = {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "exp": exp, "role": "org", "org_id": str(org_id)}
    return jwt.encode(base | claims, private_key, "EdDSA")


def need_said(operation: Mapping[str, Any]) -> RouteNeed:
    """The need of an operation as its OpenAPI document says it."""
    said = [scope for one in operation.get("security", ()) for scope in one["HTTPBearer"]]
    if not said:
        return Need.NOTHING
    return Need.PLATFORM if said == ["platform"] else AnyScope(tuple(map(Scope, said)))


def lacking(need: RouteNeed, who: str) -> str | None:
    """What is wrong with the token for a route: `token`, `role`, the scope that is asked for, or nothing."""
    if need is Need.NOTHING or who.startswith("platform"):
        return None
    if who == "nobody":
        return "token"
    if need is Need.PLATFORM:
        return "role"
    assert isinstance(need, AnyScope)
    has = {"org": set(Scope), "org, all scopes": set(Scope)}.get(who, {s for s in Scope if who == f"org, {s}"})
    return None if has & set(need.scopes) else need.scopes[0].value


async def ask(http: httpx.AsyncClient, route: Route, token: str | None) -> httpx.Response:
    """Ask a route for :data:`ORG` with a token."""
    method, path = route
    filled = re.sub(r"\{(\w+)\}", lambda match: _PLACES.get(match[1], "some"), path)
    headers = {"X-Access-Reason": "a test"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
    return await http.request(method, filled, headers=headers, json={})


def check(answer: httpx.Response, lacks: str | None) -> None:
    """A token that is not enough is told what it lacks, and any other one meets something else."""
    challenge = answer.headers.get("WWW-Authenticate")
    if lacks is None:
        assert challenge is None
        assert answer.status_code not in (401, 403)
    elif lacks == "token":
        assert (answer.status_code, challenge) == (401, "Bearer")
    else:
        scope = None if lacks == "role" else lacks
        assert (answer.status_code, answer.json()["code"], answer.json().get("scope")) == (403, "TS-903", scope)
        assert challenge == 'Bearer error="insufficient_scope"' + ("" if scope is None else f', scope="{scope}"')
        assert answer.json()["detail"].endswith("role platform" if scope is None else f"scope {scope}")


def test_every_route_has_an_entry_and_every_entry_a_route(served: Served) -> None:
    assert sorted(routes(served.app)) == sorted(served.needs)


@pytest.mark.parametrize("who", CLAIMS)
async def test_a_token_opens_what_its_scopes_name(served: Served, who: str) -> None:
    async with served.http() as http:
        for route, need in served.needs.items():
            if route not in served.own_credential:
                check(await ask(http, route, token_of(who)), lacking(need, who))


def test_openapi_names_what_is_enough_for_each_route(served: Served) -> None:
    document = served.app.openapi()
    assert "`appointments:read`" in document["components"]["securitySchemes"]["HTTPBearer"]["description"]
    for (method, path), need in served.needs.items():
        operation = document["paths"][path][method.lower()]
        assert need_said(operation) == need
        assert all(len(one["HTTPBearer"]) == 1 for one in operation.get("security", ()))


async def test_a_route_without_an_entry_answers_nobody(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    table = getattr(served.module, served.table)
    monkeypatch.setattr(
        served.module, served.table, {route: one for route, one in table.items() if route != served.some}
    )
    with structlog.testing.capture_logs():
        async with served.http() as http:
            assert (await ask(http, served.some, token_of("platform"))).status_code == 500
