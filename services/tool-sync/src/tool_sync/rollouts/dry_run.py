"""The dry run: assistant-api runs a version's handler for a clinic, in a transaction that is always rolled back.

    POST /api/tools/{tool}/dry-run   role platform; the contract, and arguments that the version's own schema allows

Whatever is not plainly the answer of a handler that did its work is no pass: another status, a redirect, somebody
else's document, silence. It has no effect, so it may be repeated (ADR 38).
"""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from tool_sync.domain.fleet import Version
from tool_sync.publishing.examples import NoExample
from tool_sync.rollouts.call_intake import WORKED
from tool_sync.rollouts.likely_arguments import likely_arguments
from zerotouch_platform.peer import Peer, Silence
from zerotouch_platform.vapi.transport import Answer

DEADLINE_SECONDS: Final = 3.0
_WHY: Final = {"x-access-reason": "dry run before a stage of a rollout opens"}
"""What a handler answers may tell of patients, so the platform says why it asks."""


@dataclass(frozen=True, slots=True)
class Passed:
    """The handler did its work."""


@dataclass(frozen=True, slots=True)
class NotPassed:
    """It is not shown that it does; ``why`` is half a sentence for an operator, without anything that was answered but
    codes."""

    why: str


@dataclass(frozen=True, slots=True)
class NoSuchClinic:
    """assistant-api has nothing under this address: no such clinic, or no dry run at all."""


Tried = Passed | NotPassed | NoSuchClinic


class _TriedOut(BaseModel):
    """What is read of the answer; strictly, as it may be anybody's."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)
    success: bool
    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}$")]
    contract: int


class DryRuns:
    """Asks one assistant-api."""

    def __init__(self, peer: Peer, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._peer, self._deadline_seconds = peer, deadline_seconds

    async def ask(self, org_id: UUID, version: Version, today: date) -> Tried:
        """Run the version's handler for this clinic, once. Raises nothing that the other side is to blame for."""
        try:
            arguments = likely_arguments(version.document["function"]["parameters"], today)
        except (NoExample, KeyError, TypeError):
            return NotPassed("no example matches the parameters of the version")
        document = {"organizationId": str(org_id), "contract": version.contract, "arguments": arguments}
        path = f"/api/tools/{version.name}/dry-run"
        answer = await self._peer.post(path, document, deadline_seconds=self._deadline_seconds, headers=_WHY)
        return NotPassed(answer.why) if isinstance(answer, Silence) else _tried(answer, version)


def _tried(answer: Answer, version: Version) -> Tried:
    match answer.status:
        case 200:
            return _read(answer, version)
        case 404:
            return NoSuchClinic()
        case 401 | 403:
            return NotPassed(f"assistant-api refuses ASSISTANT_API_TOKEN: {answer.status}")
        case 500:
            return NotPassed(f"the handler of contract {version.contract} failed")
        case status:
            return NotPassed(f"assistant-api answers {status}")


def _read(answer: Answer, version: Version) -> Tried:
    try:
        said = _TriedOut.model_validate_json(answer.body or b"")
    except ValidationError:
        return NotPassed("what answers is no assistant-api")
    if said.contract != version.contract:
        return NotPassed(f"another contract was run: {said.contract}")
    return Passed() if said.code in WORKED else NotPassed(f"the handler answers {said.code}")
