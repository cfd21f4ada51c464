"""Which names are time zones: those of the IANA database, and not what else lies in a host's folder of zones."""

from functools import cache
from typing import Final
from zoneinfo import available_timezones

_THE_HOSTS_OWN: Final = frozenset({"localtime", "posixrules", "Factory"})
"""Files of zones that are no zone's name, or of none: Vapi's templates know them as little as a clinic does."""


def is_zone(name: str) -> bool:
    """Whether ``name`` is a zone's, as `Europe/Berlin`. `right/…` and `posix/…` are not: the list leaves them out."""
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _THE_HOSTS_OWN
