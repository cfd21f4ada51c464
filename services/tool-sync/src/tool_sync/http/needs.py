"""What each route needs of a caller's token: one closed table. A route that is not in it answers nobody (ADR 57)."""

from collections.abc import Mapping
from typing import Final

from fastapi import Request

from zerotouch_platform.auth import READS, AnyScope, Need, RouteNeed, Scope

_SETTINGS: Final = AnyScope((Scope.SETTINGS_WRITE,))
_ORG: Final = "/v1/orgs/{org_id}"
_TOOL: Final = f"{_ORG}/tools/{{tool}}"
_ROLLOUT: Final = "/v1/rollouts/{rollout_id}"

NEEDS: Final[Mapping[tuple[str, str], RouteNeed]] = {
    ("GET", "/livez"): Need.NOTHING,
    ("GET", "/readyz"): Need.NOTHING,
    ("GET", "/v1/orgs"): Need.PLATFORM,
    ("GET", f"{_ORG}/tools"): READS,
    ("GET", f"{_ORG}/changes"): READS,
    ("GET", f"{_ORG}/history"): READS,
    ("GET", f"{_ORG}/calls"): READS,
    ("GET", f"{_ORG}/notices"): READS,
    ("PUT", f"{_ORG}/notices"): _SETTINGS,
    ("DELETE", f"{_ORG}/notices"): _SETTINGS,
    ("POST", f"{_ORG}/notices/test"): _SETTINGS,
    ("POST", f"{_ORG}/notices/replay"): _SETTINGS,
    ("GET", f"{_ORG}/status-links"): READS,
    ("POST", f"{_ORG}/status-links"): _SETTINGS,
    ("DELETE", f"{_ORG}/status-links/{{link_id}}"): _SETTINGS,
    ("GET", f"{_ORG}/wanted"): READS,
    ("GET", f"{_ORG}/vapi-words"): READS,
    ("GET", f"{_TOOL}/why"): READS,
    ("GET", f"{_TOOL}/settings"): READS,
    ("PUT", f"{_TOOL}/settings"): _SETTINGS,
    ("DELETE", f"{_TOOL}/settings"): _SETTINGS,
    ("GET", f"{_ORG}/change-window"): READS,
    ("PUT", f"{_ORG}/change-window"): _SETTINGS,
    ("DELETE", f"{_ORG}/change-window"): _SETTINGS,
    ("GET", f"{_TOOL}/pin"): Need.PLATFORM,
    ("PUT", f"{_TOOL}/pin"): Need.PLATFORM,
    ("DELETE", f"{_TOOL}/pin"): Need.PLATFORM,
    ("GET", "/v1/assistants"): READS,
    ("GET", "/v1/assistants/{assistant}/explain"): READS,
    ("GET", "/v1/events"): READS,
    ("GET", "/v1/events/stream"): READS,
    ("GET", "/v1/fleet/events"): READS,
    ("GET", "/v1/fleet/events/stream"): READS,
    ("GET", "/v1/tools"): Need.PLATFORM,
    ("POST", "/v1/tools"): Need.PLATFORM,
    ("POST", "/v1/tools/lint"): Need.PLATFORM,
    ("GET", "/v1/tools/{tool}"): Need.PLATFORM,
    ("GET", "/v1/tools/{tool}/diff"): Need.PLATFORM,
    ("GET", "/v1/tools/{tool}/versions/{version}"): Need.PLATFORM,
    ("POST", "/v1/tools/{tool}/versions/{version}/withdraw"): Need.PLATFORM,
    ("POST", "/v1/tools/{tool}/halt"): Need.PLATFORM,
    ("POST", "/v1/tools/{tool}/resume"): Need.PLATFORM,
    ("PUT", "/v1/tools/{tool}/drift"): Need.PLATFORM,
    ("POST", "/v1/tools/{tool}/enable"): Need.PLATFORM,
    ("POST", "/v1/tools/{tool}/disable"): Need.PLATFORM,
    ("GET", "/v1/rollouts"): Need.PLATFORM,
    ("POST", "/v1/rollouts"): Need.PLATFORM,
    ("GET", _ROLLOUT): Need.PLATFORM,
    ("GET", f"{_ROLLOUT}/orgs"): Need.PLATFORM,
    ("POST", f"{_ROLLOUT}/apply"): Need.PLATFORM,
    ("POST", f"{_ROLLOUT}/retry"): Need.PLATFORM,
    ("POST", f"{_ROLLOUT}/{{command}}"): Need.PLATFORM,
    ("POST", "/v1/console/links"): Need.PLATFORM,
}


def need_of(request: Request) -> RouteNeed:
    """What the route of a request needs; ``KeyError`` where nobody has said."""
    return NEEDS[request.method, request.scope["route"].path]
