"""What the routes are given: built once by the composition root, found in the application's state."""

from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from assistant_api.auth import Caller, Verifier
from assistant_api.db import Database
from assistant_api.health import Health
from assistant_api.provisioner.loop import Provisioner
from assistant_api.removals.loop import Remover
from assistant_api.settings import Settings
from assistant_api.telemetry import Telemetry
from assistant_api.tool_calls.credentials import WebhookCredentials
from assistant_api.tool_calls.others import OtherMessages
from assistant_api.vapi.client import VapiClient
from assistant_api.wake import Wake
from zerotouch_platform.vapi.clock_watch import ClockWatch


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the service that routes use. ``wake_relay`` says that the outbox has something."""

    settings: Settings
    telemetry: Telemetry
    health: Health
    database: Database
    verifier: Verifier
    webhook_credentials: WebhookCredentials
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


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def _caller(request: Request) -> Caller:
    return _parts(request).verifier.caller(request.headers.get("authorization"))


PartsOf = Annotated[Parts, Depends(_parts)]
CallerOf = Annotated[Caller, Depends(_caller)]
