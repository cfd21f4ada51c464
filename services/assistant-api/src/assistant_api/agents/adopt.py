"""Whether a Vapi assistant that somebody named may become an agent's."""

from collections.abc import Sequence

from assistant_api.agents.save_requests import unavailable
from assistant_api.db import Database
from assistant_api.document import AgentMarker, Holder
from assistant_api.problem import Problem
from assistant_api.removals.store import who_leaves
from assistant_api.vapi.account_rows import account_of
from assistant_api.vapi.accounts import Accounts
from assistant_api.vapi.answers import Document, Found, Gone, Later, Refused
from zerotouch_contracts.errors import CATALOGUE
from zerotouch_platform.auth import Caller, Platform


async def require_adoptable(
    database: Database, accounts: Accounts, caller: Caller, mark: AgentMarker, assistant_id: str
) -> None:
    """Raise a 422 problem unless ``assistant_id`` exists and may become that of ``mark``'s agent; 503 where Vapi does
    not say.

    Its `metadata` must name no other organization or installation, unless that is about to be taken out: then the save
    waits for it. One without a mark may be anybody's, so only the platform may take it.
    """
    async with database.connection() as connection:
        account = await account_of(connection, mark.org_id, accounts.platform_name)
        leaving = await who_leaves(connection, account, assistant_id)
    async with accounts.of(mark.org_id, account) as at:
        answer = at if isinstance(at, Later) else await at.vapi.get(assistant_id)
    match answer:
        case Found(assistant):
            marks = [AgentMarker(mark.installation_id, org_id, agent_id) for org_id, agent_id in leaving]
            if not _is_adoptable(mark, assistant, marks, by_platform=isinstance(caller, Platform)):
                raise unavailable()
        case Gone() | Refused():
            raise unavailable()
        case Later(code):
            raise Problem(503, code, f"vapiAssistantId cannot be checked now: {CATALOGUE[code].title}; try again")


def _is_adoptable(mark: AgentMarker, assistant: Document, leaving: Sequence[AgentMarker], *, by_platform: bool) -> bool:
    match mark.holder_of(assistant):
        case Holder.THIS_AGENT | Holder.SAME_ORGANIZATION:
            return True
        case Holder.NOBODY:
            return by_platform or mark.is_named_in(assistant)
        case Holder.ANOTHER:
            return by_platform and any(other.holder_of(assistant) is Holder.THIS_AGENT for other in leaving)
