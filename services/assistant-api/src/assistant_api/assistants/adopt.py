"""Whether a Vapi assistant that somebody named may become an agent's."""

from uuid import UUID

from assistant_api.assistants.save import unavailable
from assistant_api.auth import Caller, Platform
from assistant_api.document import Mark, metadata_of
from assistant_api.problems import Problem
from assistant_api.vapi.answers import Found, Gone, Later, Refused
from assistant_api.vapi.client import VapiClient
from zerotouch_contracts.errors import CATALOGUE


async def require_adoptable(
    vapi: VapiClient, caller: Caller, installation_id: UUID, org_id: UUID, agent_id: str, assistant_id: str
) -> None:
    """Raise a 422 problem unless ``assistant_id`` exists and may be this agent's; 503 where Vapi does not say.

    Its `metadata` must name no other organization or agent. One without our metadata may be anybody's, so only the
    platform may take it.
    """
    mark = Mark(installation_id, org_id, agent_id)
    match await vapi.get(assistant_id):
        case Found(assistant):
            marked = any(key in metadata_of(assistant) for key in mark.metadata())
            if mark.contradicts(assistant) or not (marked or isinstance(caller, Platform)):
                raise unavailable()
        case Gone() | Refused():
            raise unavailable()
        case Later(code):
            raise Problem(503, code, f"vapiAssistantId cannot be checked now: {CATALOGUE[code].title}; try again")
