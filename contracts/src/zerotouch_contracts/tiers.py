"""The tiers of clinics, low to high: the one list. A tool names the lowest tier that gets it.

What is accepted is closed: HTTP, plain SQL (a CHECK) and definitions know these three. What is read is open: an
``OrganizationSaved`` of a newer release may name another one, which counts as the lowest.
"""

from difflib import get_close_matches
from typing import Annotated, Final

from pydantic import AfterValidator, Field

TIERS: Final = ("basic", "professional", "enterprise")
_CHARACTERS_MAX: Final = 40


def nearest_tier(name: str) -> str | None:
    """The tier that was probably meant, whatever its case; None where nothing is near."""
    meant = name[:_CHARACTERS_MAX].lower()
    near = [tier for tier in TIERS if meant and tier.startswith(meant)] or get_close_matches(meant, TIERS, n=1)
    return near[0] if near else None


def _known(name: str) -> str:
    if name in TIERS:
        return name
    near = nearest_tier(name)
    raise ValueError(f"must be {', '.join(TIERS[:-1])} or {TIERS[-1]}" + (f"; did you mean {near}?" if near else ""))


KnownTier = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(TIERS)})]
"""One of the list; the error names the nearest one."""
