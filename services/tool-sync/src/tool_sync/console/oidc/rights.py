"""What a person's claims let them do here: the rules of the settings, and nothing without one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tool_sync.http.access import SUBJECT_CHARACTERS_MAX
from tool_sync.settings import Settings, roles_of
from zerotouch_platform.auth import Scope

_NAMES: Final = ("name", "preferred_username", "email")
_SHOWN_MAX: Final = 10


class NoRights(Exception):
    """Nothing lets this person in. ``ask_for``: what would, in words for them."""

    def __init__(self, ask_for: str) -> None:
        self.ask_for = ask_for
        super().__init__(ask_for)


@dataclass(frozen=True, slots=True)
class Rules:
    """Which values of ``roles_claim`` are whose: the ``platform``'s, or a clinic's with scopes (``org``)."""

    roles_claim: str
    platform: frozenset[str]
    org: Mapping[str, frozenset[Scope]]
    org_claim: str

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        """Those of the settings."""
        platform = (settings.console_oidc_platform or "").split(",")
        return cls(
            settings.console_oidc_roles_claim,
            frozenset(value.strip() for value in platform) - {""},
            {} if settings.console_oidc_org is None else roles_of(settings.console_oidc_org),
            settings.console_oidc_org_claim,
        )


def rights_of(claims: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    """Claims as a token of the API has them: ``sub`` and ``role``, and a clinic's ``org_id`` and ``scope``.

    Who is the platform's and a clinic's is the platform's. Raises :class:`NoRights`.
    """
    values = _values(claims, rules.roles_claim)
    who = {"sub": person_of(claims)}
    if values & rules.platform:
        return {**who, "role": "platform"}
    scopes: set[Scope] = set().union(*(rules.org[value] for value in values & rules.org.keys()))
    if not scopes:
        known = sorted(rules.platform | rules.org.keys())[:_SHOWN_MAX]
        raise NoRights(f"one of {', '.join(known)} in the claim {rules.roles_claim}")
    try:
        org_id = UUID(str(_found(claims, rules.org_claim)))
    except ValueError:
        raise NoRights(f"your clinic's id, a UUID, in the claim {rules.org_claim}") from None
    return {**who, "role": "org", "org_id": str(org_id), "scope": " ".join(sorted(scopes))}


def person_of(claims: Mapping[str, Any]) -> str:
    """A name and the provider's id, ``K. Lee (248289761001)``: people may change the one, and nobody the other."""
    names = (claims.get(name) for name in _NAMES)
    name = next((name.strip() for name in names if isinstance(name, str) and name.strip()), "")
    own = f"({claims['sub']})"
    return f"{name[: SUBJECT_CHARACTERS_MAX - len(own) - 1]} {own}".strip()


def _values(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    if name == "email" and claims.get("email_verified") is not True:
        return frozenset()  # anybody may have written it
    found = _found(claims, name)
    listed = found if isinstance(found, list) else [found]
    return frozenset(value for value in listed if isinstance(value, str))


def _found(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this name, which may be a URL; else the one within others that a path with dots names."""
    if name in claims:
        return claims[name]
    here: Any = claims
    for part in name.split("."):
        here = here.get(part) if isinstance(here, dict) else None
    return here
