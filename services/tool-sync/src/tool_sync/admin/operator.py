"""Who gives the commands of this process, as events say it."""

from typing import Final

from zerotouch_platform.operators import operator

ACTOR: Final = operator()
