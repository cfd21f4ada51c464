"""Settings: what both services' have in common, and one report of all that is wrong with an environment.

A field's name is the variable's name in lower case: ``database_url`` is ``DATABASE_URL``. Units come last in names.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

T = TypeVar("T", bound=BaseSettings)

CONFIG: Final = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

WORKERS_MAX: Final = 64

_SECRET: Final = re.compile("key|secret|password|token|hmac", re.IGNORECASE)
_MASK: Final = "********"
_SHOWN_CHARACTERS_MAX: Final = 80


def http_url(value: str) -> str:
    """The URL without a slash at its end. Raises ``ValueError`` where it is none of HTTP's."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https URL")
    return value.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(http_url)]
NonEmpty = Annotated[str, Field(min_length=1)]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """What is wrong with one variable; ``shown`` is its value, masked where it may be secret, None where missing.

    A rule about several variables has none of its own, and names them in its reason.
    """

    variable: str | None
    shown: str | None
    reason: str


class SettingsInvalid(Exception):
    """The environment does not make settings. Field: problems, all of them."""

    def __init__(self, problems: Sequence[SettingProblem]) -> None:
        self.problems = tuple(problems)
        lines = [f"  {p.variable} = {'(missing)' if p.shown is None else p.shown}: {p.reason}" for p in problems]
        super().__init__("\n".join([f"{len(problems)} setting(s) are missing or wrong:", *lines]))


def load(kind: type[T]) -> T:
    """The settings of the environment; raises :class:`SettingsInvalid` with every problem at once."""
    try:
        return kind()
    except ValidationError as error:
        # hide_input_in_errors only keeps values out of the text; the items still carry them, to be masked here.
        problems = [_problem(dict(item), kind) for item in error.errors(include_url=False)]
        raise SettingsInvalid(problems) from None


def _problem(item: dict[str, Any], kind: type[BaseSettings]) -> SettingProblem:
    reason = str(item["msg"]).removeprefix("Value error, ")
    if not item["loc"]:
        return SettingProblem(None, None, reason)
    field = str(item["loc"][0])
    variable = field.upper()
    if item["type"] == "missing":
        return SettingProblem(variable, None, "is required")
    secret = _SECRET.search(variable) or "SecretStr" in str(kind.model_fields[field].annotation)
    return SettingProblem(variable, _MASK if secret else _shown(str(item["input"])), reason)


def _shown(value: str) -> str:
    """A value as it may be shown: a URL's password as ``***``, a long one cut."""
    shown = re.sub(r"(?<=://)([^/@:]*):[^/]*@", r"\1:***@", value)
    return repr(shown if len(shown) <= _SHOWN_CHARACTERS_MAX else shown[:_SHOWN_CHARACTERS_MAX] + "…")
