"""What each route needs of a caller's token, and what it is called in the access log: one closed table (ADR 56, 57).

A route that is not in it answers nobody. One with an action leaves a row for each request that it answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fastapi import Request

from assistant_api.access_log.entry import Action
from zerotouch_platform.auth import READS, AnyScope, Need, RouteNeed, Scope

_PATIENTS: Final = AnyScope((Scope.APPOINTMENTS_READ,))
_ERASE: Final = AnyScope((Scope.ERASURES_WRITE,))
_RECEIPTS: Final = AnyScope((Scope.ERASURES_WRITE, Scope.APPOINTMENTS_READ))
_AGENTS: Final = AnyScope((Scope.AGENTS_WRITE,))
_SYNC: Final = AnyScope((Scope.SYNC,))
_SETTINGS: Final = AnyScope((Scope.SETTINGS_WRITE,))

_VAPI_KEY: Final = "/api/organizations/{org_id}/vapi-key"


@dataclass(frozen=True, slots=True)
class Rule:
    """``asks_why``: the platform says why it asks. ``shows_patients``: not before the list of the erased is known."""

    need: RouteNeed
    action: Action | None = None
    shows_patients: bool = False
    asks_why: bool = False


RULES: Final[Mapping[tuple[str, str], Rule]] = {
    ("GET", "/livez"): Rule(Need.NOTHING),
    ("GET", "/readyz"): Rule(Need.NOTHING),
    ("POST", "/api/organizations"): Rule(Need.PLATFORM, Action.ORGANIZATION_CREATE),
    ("PATCH", "/api/organizations/{org_id}"): Rule(Need.PLATFORM, Action.ORGANIZATION_CHANGE),
    ("DELETE", "/api/organizations/{org_id}"): Rule(Need.PLATFORM, Action.ORGANIZATION_DELETE),
    ("GET", "/api/organizations/{org_id}/calendar"): Rule(READS),
    ("PUT", _VAPI_KEY): Rule(_SETTINGS, Action.VAPI_KEY_REPLACE),
    ("GET", _VAPI_KEY): Rule(_SETTINGS),
    ("DELETE", _VAPI_KEY): Rule(_SETTINGS, Action.VAPI_KEY_DELETE),
    ("PUT", "/api/organizations/{org_id}/calendar"): Rule(_SETTINGS, Action.CALENDAR_REPLACE),
    ("GET", "/api/agents"): Rule(READS),
    ("POST", "/api/agents"): Rule(_AGENTS, Action.AGENT_CREATE),
    ("GET", "/api/agents/{agent_id}"): Rule(READS),
    ("PATCH", "/api/agents/{agent_id}"): Rule(_AGENTS, Action.AGENT_CHANGE),
    ("DELETE", "/api/agents/{agent_id}"): Rule(_AGENTS, Action.AGENT_DELETE),
    ("POST", "/api/assistants/sync"): Rule(_SYNC, Action.AGENT_SYNC),
    ("POST", "/api/assistants/auto-sync"): Rule(_SYNC, Action.AGENTS_SYNC),
    ("GET", "/api/assistants/{agent_id}/status"): Rule(READS),
    ("GET", "/api/saves"): Rule(Need.PLATFORM),
    ("GET", "/api/appointments"): Rule(_PATIENTS, Action.APPOINTMENTS_LIST, shows_patients=True, asks_why=True),
    ("POST", "/api/patients/export"): Rule(_PATIENTS, Action.APPOINTMENTS_EXPORT, shows_patients=True, asks_why=True),
    ("POST", "/api/erasures"): Rule(_ERASE, Action.APPOINTMENTS_ERASE, asks_why=True),
    ("GET", "/api/erasures"): Rule(_RECEIPTS),
    ("GET", "/api/erasures/{erasure_id}"): Rule(_RECEIPTS),
    ("GET", "/api/access"): Rule(_PATIENTS),
    ("POST", "/api/vapi/tool-calls"): Rule(Need.NOTHING, Action.TOOL_CALL_RECEIVE),
    ("POST", "/api/tools/{tool}/dry-run"): Rule(Need.PLATFORM, Action.TOOL_TRY, shows_patients=True, asks_why=True),
    ("POST", "/api/vapi-minutes"): Rule(Need.PLATFORM, Action.VAPI_MINUTE_LEND),
}


def rule_of(request: Request) -> Rule:
    """The rule of a request's route; ``KeyError`` where nobody has said."""
    return RULES[request.method, request.scope["route"].path]
