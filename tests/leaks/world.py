"""A service with its clinics, as the matrix asks it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
from starlette.types import ASGIApp
from tests.support.asgi import Answer, ask
from tests.support.from_openapi import operations
from tests.support.route_needs import token_of

from devstack.databases import Service

from .clinic import Clinics
from .requests import Form, Sent

STAY_SECONDS = 0.02
"""How long the reader of a stream stays: what is there is sent at once."""


@dataclass
class World:
    """``right``: see :class:`Form`; ``credentials``: of routes that take no token, by `METHOD path`.

    ``key`` signs tokens; ``admin`` is a superuser's connection.
    """

    service: Service
    app: ASGIApp
    document: Mapping[str, Any]
    clinics: Clinics
    key: str
    admin: "asyncpg.Connection[asyncpg.Record]"
    right: Mapping[str, Any]
    credentials: Mapping[str, str] = field(default_factory=dict)

    def forms(self) -> Iterator[Form]:
        """Every operation: those that read come first, those that delete last."""
        order = ("get", "put", "patch", "post", "delete")
        found = [Form(operation, self.right) for operation in operations(self.document, {})]
        yield from sorted(found, key=lambda form: order.index(form.operation.method))

    def token(self, who: str, org_id: UUID) -> str | None:
        """A token of one of the claims that are known, of an organization."""
        return token_of(who, org_id, self.key)

    async def ask(self, form: Form, sent: Sent, token: str | None) -> Answer:
        """The answer to a request."""
        headers = {"content-type": "application/json", **sent.headers}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        stay = STAY_SECONDS if form.streams else 0.0
        return await ask(self.app, form.operation.method.upper(), sent.target, headers, sent.body, stay_seconds=stay)
