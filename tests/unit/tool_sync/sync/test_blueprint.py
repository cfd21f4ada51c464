"""What a release brings along for a new log: versions as they are published, and what of them is registered."""

from dataclasses import replace
from uuid import UUID

import pytest

from tool_sync.domain.fleet import Fleet, evolve_fleet
from tool_sync.domain.toolset import Recorded
from tool_sync.publishing.fleet import empty_fleet
from tool_sync.sync.blueprint import OFFERED, Blueprint, document_for
from tool_sync.vapi.own_credential import OwnCredential
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import (
    ANSWERED,
    CONTRACT_PARAMETER,
    DEFINITIONS,
    ToolDefinition,
    ToolMarker,
    contract_of,
    version_of,
)

from ..domain.builders import after

ORG, INSTALLATION = UUID(int=1), UUID(int=2)
BLUEPRINT = Blueprint(DEFINITIONS, "https://hooks.example.test/tools", INSTALLATION, None, OFFERED)


def fleet_with(definition: ToolDefinition) -> Fleet:
    return evolve_fleet(empty_fleet(), "blueprint", Recorded(1, after(0), BLUEPRINT.published(definition)))


@pytest.mark.parametrize("definition", [*DEFINITIONS, *OFFERED], ids=lambda one: f"{one.name} {one.version}")
def test_each_definition_is_published_as_it_is_registered_but_for_the_org_and_is_answered(
    definition: ToolDefinition,
) -> None:
    event = BLUEPRINT.published(definition)
    document = event.document or {}

    assert event.definition_hash == canonical_hash(document)
    assert (version_of(document), contract_of(document)) == (event.version, event.contract)
    assert ToolMarker.of(document) == ToolMarker(INSTALLATION, UUID(int=0), definition.name)
    assert fleet_with(definition).answered_versions == {(definition.name, definition.version)}
    assert document_for(document, ORG) == definition.vapi_payload(
        ORG, server_url=BLUEPRINT.server_url, installation_id=INSTALLATION
    )


def test_in_an_account_of_a_clinics_own_a_tool_of_ours_has_that_accounts_credential_and_others_have_none() -> None:
    with_platforms = replace(BLUEPRINT, credential_id="platform")
    ours = with_platforms.published(DEFINITIONS[0]).document or {}
    theirs = {
        **ours,
        "parameters": [
            {**item, "value": 0} if item["key"] == CONTRACT_PARAMETER else item for item in ours["parameters"]
        ],
    }
    assert contract_of(theirs) == 0

    assert document_for(ours, ORG)["server"]["credentialId"] == "platform"
    assert document_for(ours, ORG, OwnCredential("own"))["server"] == {**ours["server"], "credentialId": "own"}
    assert "credentialId" not in document_for(ours, ORG, OwnCredential(None))["server"]
    assert "credentialId" not in document_for(theirs, ORG, OwnCredential("own"))["server"]


def test_another_server_is_another_document_of_the_same_version() -> None:
    here, there = (
        replace(BLUEPRINT, server_url=url).published(DEFINITIONS[0]) for url in ("https://a.x", "https://b.x")
    )

    assert here.version == there.version
    assert here.definition_hash != there.definition_hash


def test_making_an_orgs_document_leaves_the_published_one_as_it_is() -> None:
    document = BLUEPRINT.published(DEFINITIONS[0]).document or {}
    before = canonical_hash(document)
    document_for(document, ORG)

    assert canonical_hash(document) == before


def test_what_is_offered_is_answered_and_of_other_tools_than_what_is_ordered() -> None:
    assert set(OFFERED) <= set(ANSWERED)
    assert {definition.name for definition in OFFERED}.isdisjoint(definition.name for definition in DEFINITIONS)
