"""What the routes are given: built once by the composition root, found in the application's state."""

from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from assistant_api.db import Database
from assistant_api.problem import Problem
from assistant_api.provisioner.loop import Provisioner
from assistant_api.removals.loop import Remover
from assistant_api.settings import Settings
from assistant_api.tool_calls.credentials import WebhookCredentials
from assistant_api.tool_calls.handle import ToolCallHandler
from assistant_api.tool_calls.others import OtherMessages
from assistant_api.vapi.client import VapiClient
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller, Platform, TokenRefused, TokenVerifier
from zerotouch_platform.health import Health
from zerotouch_platform.loops import Wake
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.vapi.clock_watch import ClockWatch


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The parts of the service that routes use. ``wake_relay`` says that the outbox has something."""

    settings: Settings
    telemetry: Telemetry
    health: Health
    database: Database
    verifier: TokenVerifier
    webhook_credentials: WebhookCredentials
    tool_calls: ToolCallHandler
    vapi: VapiClient
    clock_watch: ClockWatch
    provisioner: Provisioner
    remover: Remover
    wake_relay: Wake
    other_messages: OtherMessages = field(default_factory=OtherMessages)

    @property
    def installation_id(self) -> UUID:
        """The installation that this process works for."""
        return self.settings.installation_id


def _parts(request: Request) -> Dependencies:
    parts: Dependencies = request.app.state.parts
    return parts


def _caller(request: Request) -> Caller:
    try:
        return _parts(request).verifier.caller_of(request.headers.get("authorization"))
    except TokenRefused as refused:
        raise Problem(401, ErrorCode.UNAUTHENTICATED, refused.reason) from None


def require_platform(caller: Caller) -> None:
    """Raise a 403 problem for everybody but the platform role."""
    if not isinstance(caller, Platform):
        raise Problem(403, ErrorCode.FORBIDDEN, "this needs a token with the role platform")


DependenciesOf = Annotated[Dependencies, Depends(_parts)]
CallerOf = Annotated[Caller, Depends(_caller)]
