"""How many processes may share a port: for settings, and for command lines, which are to be quick: no imports here."""

from typing import Final

WORKERS_MAX: Final = 64
