"""Which names are time zones: those of the IANA database, and not what else lies in a host's folder of zones."""

from difflib import get_close_matches
from functools import cache
from typing import Final
from zoneinfo import available_timezones

_CHARACTERS_MAX: Final = 64
_THE_HOSTS_OWN: Final = frozenset({"localtime", "posixrules", "Factory"})
"""Files of zones that are no zone's name, or of none: Vapi's templates know them as little as a clinic does."""


def is_zone(name: str) -> bool:
    """Whether ``name`` is a zone's, as `Europe/Berlin`. `right/…` and `posix/…` are not: the list leaves them out."""
    return name in _zones()


def nearest_zone(name: str) -> str | None:
    """The zone that was probably meant, whatever its case, or by its place alone; None where nothing is near."""
    meant = name[:_CHARACTERS_MAX].casefold().replace(" ", "_")
    by_fold = {zone.casefold(): zone for zone in sorted(_zones())}
    if meant in by_fold:
        return by_fold[meant]
    by_place = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(_zones()) if "/" in zone}
    if (place := by_place.get(meant.rpartition("/")[2])) is not None:
        return place
    near = get_close_matches(meant, by_fold, n=1) or get_close_matches(meant, by_place, n=1)
    return {**by_place, **by_fold}[near[0]] if near else None


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _THE_HOSTS_OWN
