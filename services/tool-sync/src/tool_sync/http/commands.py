"""What every write of the platform's shares: its body, its log, and what is said where it is not known to be stored."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, TypeVar

from fastapi import Path, Request
from pydantic import BaseModel

from tool_sync import db
from tool_sync.db import Connection
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.http.access import reading
from tool_sync.http.body import Body, Reason
from tool_sync.http.problems import Problem
from tool_sync.http.state import Installed, ready, state_of
from tool_sync.log import AppendRejected, EventLog, LogUnavailable
from tool_sync.queries.blueprint import UnknownVersion
from tool_sync.queries.explain_tool import UnknownTool
from tool_sync.rollouts.command import FleetContended
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.openapi import Answers, documented

Done = TypeVar("Done")

ToolName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The tool's name.")]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="The version's number.")]
READ_ANSWERS: Final[Answers] = {
    403: {"description": "The token is a clinic's."},
    404: {"description": "There is no such tool, version or rollout; the detail names the nearest one."},
}
WRITE_ANSWERS: Final[Answers] = READ_ANSWERS | {
    409: {"description": "The state does not allow it; nothing was written."},
}
REASON: Final = {"reason": "callers are confused"}
"""An example."""


class Command(Body):
    """Why something is done."""

    reason: Reason


def takes(model: type[BaseModel], example: Mapping[str, Any] = REASON) -> dict[str, Any]:
    """What OpenAPI is told of a route that writes: its body with an example, and its answers."""
    return {"responses": WRITE_ANSWERS, "openapi_extra": documented(model, dict(example))}


@asynccontextmanager
async def writing(request: Request) -> AsyncIterator[tuple[Connection, EventLog]]:
    """A connection to read from, and the log. What is not known to be stored is a 503 that says so."""
    state = state_of(request)
    log = ready(state.log)
    try:
        async with reading(state, None) as connection:
            yield connection, log
    except (LogUnavailable, FleetContended, *db.WAITED_OUT_ERRORS) as error:
        detail = "whether it was stored is not known: look at the tool or the rollout before you ask again"
        raise Problem(503, ErrorCode.NOT_READY, detail) from error
    except AppendRejected as error:
        raise Problem(422, ErrorCode.INVALID_REQUEST, "it is too large for the log, which keeps it for ever") from error


def unless_refused(done: Done | Refused) -> Done:
    """What was done; a 409 problem with the sentence that the command line says where it was refused."""
    if isinstance(done, Refused):
        raise Problem(409, ErrorCode.INVALID_REQUEST, done.why)
    return done


def installed(request: Request) -> Installed:
    """What goes with every tool that is published here."""
    return ready(state_of(request).installed)


def require_tool(fleet: Fleet, name: str, version: int | None = None) -> None:
    """Raises `UnknownTool` and `UnknownVersion`."""
    if name not in fleet.versions:
        raise UnknownTool(name, tuple(sorted(fleet.names)))
    if version is not None and version not in fleet.versions[name]:
        raise UnknownVersion(name, version, tuple(sorted(fleet.versions[name])))
