"""Which token opens which route of assistant-api, for every route and every scope; no database is needed to refuse."""

from uuid import uuid4

import pytest
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

from assistant_api.app.application import create_app
from assistant_api.app.service import Service
from assistant_api.http import needs
from assistant_api.http.needs import RULES
from assistant_api.settings import Settings
from devstack.tokens import AUDIENCE, ISSUER

VALUES = {
    "database_url": "postgresql://x:y@127.0.0.1:1/x",
    "kafka_bootstrap_servers": "127.0.0.1:1",
    "installation_id": uuid4(),
    "vapi_base_url": "http://127.0.0.1:1",
    "vapi_api_key": "key",
    "vapi_key_by_clinic": True,  # else no token of a clinic is enough
    "jwt_public_key": SIGNER.public_key,
    "jwt_issuer": ISSUER,
    "jwt_audience": AUDIENCE,
}


@pytest.fixture(scope="module")
def served() -> Served:
    app = create_app(Service(Settings.model_validate(VALUES)).parts)
    said = {route: rule.need for route, rule in RULES.items()}
    own_credential = frozenset({("POST", "/api/vapi/tool-calls")})
    return Served(app, said, needs, "RULES", ("GET", "/api/agents"), own_credential)


def test_a_route_that_writes_or_shows_patients_has_an_action() -> None:
    for (method, path), rule in RULES.items():
        assert (rule.action is not None) == (method != "GET" or path == "/api/appointments"), path
        assert not rule.shows_patients or rule.action is not None
