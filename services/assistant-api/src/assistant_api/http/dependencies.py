"""What the routes are given: built once by the composition root, found in the application's state."""

from dataclasses import dataclass, field
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Query, Request

from assistant_api.access_log.counting import AccessCounter
from assistant_api.db import Database
from assistant_api.erasures.calls import CallDeletions
from assistant_api.erasures.guard import ErasureGuard
from assistant_api.http.needs import rule_of
from assistant_api.problem import Problem
from assistant_api.provisioner.loop import Provisioner
from assistant_api.removals.loop import Remover
from assistant_api.settings import Settings
from assistant_api.tool_calls.credentials import WebhookCredentials
from assistant_api.tool_calls.handle import ToolCallHandler
from assistant_api.tool_calls.others import OtherMessages
from assistant_api.vapi.accounts import Accounts
from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.text import Storable
from zerotouch_platform.auth import Caller, TokenRefused, TokenUnsure, TokenVerifier, require
from zerotouch_platform.health import Health
from zerotouch_platform.limits.middleware import Limits
from zerotouch_platform.loops import Wake
from zerotouch_platform.openapi import Answers
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
    accounts: Accounts
    clock_watch: ClockWatch
    provisioner: Provisioner
    remover: Remover
    erasure_guard: ErasureGuard
    call_deletions: CallDeletions
    wake_relay: Wake
    access_counter: AccessCounter
    limits: Limits
    other_messages: OtherMessages = field(default_factory=OtherMessages)


def dependencies_of(request: Request) -> Dependencies:
    """The parts of the application that serves this request."""
    parts: Dependencies = request.app.state.parts
    return parts


# Coroutines, though they wait for nothing: FastAPI runs a plain function in a thread, and on a busy machine a request
# that changes threads three times waits for a core, and for the interpreter, three times.
async def _parts(request: Request) -> Dependencies:
    return dependencies_of(request)


async def _caller(request: Request) -> Caller:
    try:
        caller = dependencies_of(request).verifier.caller_of(request.headers.get("authorization"))
    except TokenUnsure as unsure:
        raise Problem(503, ErrorCode.NOT_READY, unsure.reason) from None
    except TokenRefused as refused:
        raise Problem(401, ErrorCode.UNAUTHENTICATED, refused.reason) from None
    request.state.caller = caller
    require(caller, rule_of(request).need)
    return caller


DependenciesOf = Annotated[Dependencies, Depends(_parts)]
CallerOf = Annotated[Caller, Depends(_caller)]
AgentId = Annotated[str, Storable]
"""Of a path. Who has the id of no agent is told so; one that the database cannot be asked for is refused."""
OrgId = Annotated[UUID | None, Query(alias="orgId")]
After = Annotated[str | None, Query(max_length=400)]
"""The cursor of a page."""
SEVERAL: Final[Answers] = {409: {"description": "Several organizations have such an agent: `orgId` has to say which."}}
"""With a token of the platform."""
