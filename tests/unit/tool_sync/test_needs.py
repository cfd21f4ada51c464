"""Which token opens which route of tool-sync, for every route and every scope; no database is needed to refuse."""

import pytest
from tests.support.jwt_settings import JwtSettings
from tests.support.route_needs import SIGNER, Served
from tests.support.route_needs import (
    test_a_route_without_an_entry_answers_nobody as test_a_route_without_an_entry_answers_nobody,
)
from tests.support.route_needs import test_a_token_opens_what_its_scopes_name as test_a_token_opens_what_its_scopes_name
from tests.support.route_needs import (
    test_every_route_has_an_entry_and_every_entry_a_route as test_every_route_has_an_entry_and_every_entry_a_route,
)
from tests.support.route_needs import (
    test_openapi_names_what_is_enough_for_each_route as test_openapi_names_what_is_enough_for_each_route,
)

from tool_sync.http import needs
from tool_sync.http.app import build
from tool_sync.http.needs import NEEDS
from tool_sync.http.state import HttpState
from zerotouch_platform import telemetry
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health


@pytest.fixture(scope="module")
def served() -> Served:
    state = HttpState(TokenVerifier(JwtSettings(SIGNER.public_key)), Health(check_seconds_max=0.2, starting=None))
    return Served(build(state, telemetry.off()), NEEDS, needs, "NEEDS", ("GET", "/v1/tools"))
