"""What a person's claims let them do at the console."""

from typing import Any
from uuid import UUID

import pytest

from tool_sync.console.oidc.rights import NoRights, Rules, person_of, rights_of
from zerotouch_platform.auth import Scope

ORG = UUID("0b7e3c1e-3a64-4b3e-9a55-5d4f0a6c9a10")
OWNER = frozenset({Scope.SYNC, Scope.SETTINGS_WRITE})
STAFF = frozenset({Scope.SYNC, Scope.AGENTS_WRITE})
KIM = {"sub": "1", "name": "Kim Lee"}


def rules(claim: str = "groups", org_claim: str = "org_id") -> Rules:
    return Rules(claim, frozenset({"operators", "kim@example.com"}), {"owners": OWNER, "staff": STAFF}, org_claim)


@pytest.mark.parametrize(
    ("claims", "claim"),
    [
        ({"groups": ["operators", "x", 7, None]}, "groups"),
        ({"groups": "operators"}, "groups"),
        ({"realm_access": {"roles": ["operators"]}}, "realm_access.roles"),
        ({"https://example.com/roles": ["operators"]}, "https://example.com/roles"),
        ({"groups": ["operators", "owners"], "org_id": str(ORG)}, "groups"),
        ({"email": "kim@example.com", "email_verified": True}, "email"),
    ],
)
def test_who_runs_the_platform(claims: dict[str, Any], claim: str) -> None:
    assert rights_of({**KIM, **claims}, rules(claim)) == {"sub": "Kim Lee (1)", "role": "platform"}


def test_of_a_clinic_with_all_of_ones_scopes() -> None:
    found = rights_of(
        {**KIM, "groups": ["owners", "staff"], "app": {"clinic": str(ORG)}}, rules(org_claim="app.clinic")
    )
    scope = "agents:write settings:write sync"
    assert found == {"sub": "Kim Lee (1)", "role": "org", "org_id": str(ORG), "scope": scope}


@pytest.mark.parametrize(
    ("claims", "claim", "ask_for"),
    [
        ({}, "groups", "one of kim@example.com, operators, owners, staff in the claim groups"),
        ({"groups": []}, "groups", "one of"),
        ({"groups": ["Operators", "operators ", "operator"]}, "groups", "one of"),
        ({"groups": {"operators": True}}, "groups", "one of"),
        ({"groups": [["operators"]]}, "groups", "one of"),
        ({"realm_access": "roles"}, "realm_access.roles", "one of"),
        ({"email": "kim@example.com"}, "email", "one of"),
        ({"email": "kim@example.com", "email_verified": "true"}, "email", "one of"),
        ({"groups": ["owners"]}, "groups", "your clinic's id, a UUID, in the claim org_id"),
        ({"groups": ["owners"], "org_id": [str(ORG)]}, "groups", "your clinic's id"),
        ({"groups": ["owners"], "org_id": 7}, "groups", "your clinic's id"),
        ({"org_id": str(ORG)}, "groups", "one of"),
    ],
)
def test_who_may_nothing(claims: dict[str, Any], claim: str, ask_for: str) -> None:
    with pytest.raises(NoRights) as refused:
        rights_of({**KIM, **claims}, rules(claim))
    assert ask_for in refused.value.ask_for


@pytest.mark.parametrize(
    ("claims", "person"),
    [
        ({"sub": "1"}, "(1)"),
        ({"sub": "1", "name": " ", "preferred_username": "kim"}, "kim (1)"),
        ({"sub": "1", "name": 7, "email": "kim@example.com"}, "kim@example.com (1)"),
        ({"sub": "1", "name": "Ada (2)"}, "Ada (2) (1)"),  # nobody takes another's id
        ({"sub": "s" * 180, "name": "n" * 300}, "n" * 17 + " (" + "s" * 180 + ")"),
    ],
)
def test_what_the_log_calls_them(claims: dict[str, Any], person: str) -> None:
    assert person_of(claims) == person
    assert len(person) <= 200
