"""Settings: what both services' have in common, and one report of all that is wrong with an environment.

A field's name is the variable's name in lower case: ``database_url`` is ``DATABASE_URL``. Units come last in names.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

import structlog
from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from zerotouch_contracts.kafka import SecurityInvalid, security_of
from zerotouch_platform.public_key import require_key_of_algorithm

T = TypeVar("T", bound=BaseSettings)

CONFIG: Final = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

_SECRET: Final = re.compile("key|secret|password|token|hmac", re.IGNORECASE)
_MASK: Final = "********"
_LOGIN: Final = re.compile("://.*@")
"""To the last @: a password may hold a slash, a colon or another @."""
_QUERY_SECRET: Final = re.compile(r"([?&][^=&]*(?:key|secret|pass|token|hmac|sig)[^=&]*=)[^&]*", re.IGNORECASE)
_SHOWN_CHARACTERS_MAX: Final = 80
_ALIKE: Final = 0.9
"""Of difflib's measure: one letter or underscore of a dozen. The other service's settings are less alike than that."""


def http_url(value: str) -> str:
    """The URL without a slash at its end. Raises ``ValueError`` where it is none of HTTP's."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https URL")
    return value.rstrip("/")


def _vapi_url(value: str, info: ValidationInfo) -> str:
    url = http_url(value)
    if urlsplit(url).scheme == "http" and not info.data.get("vapi_plain_http_allowed") and not is_loopback(url):
        raise ValueError(
            "must be an https URL: over http everybody on the way has the key; VAPI_PLAIN_HTTP_ALLOWED=true is for a "
            "sandbox in a network of its own"
        )
    return url


def is_loopback(url: str) -> bool:
    """Whether the URL is of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _one_source_of_keys(value: str | None, info: ValidationInfo) -> str | None:
    sets = [name for name in ("jwt_jwks_file", "jwt_jwks_url") if info.data.get(name) is not None]
    if value is None and not sets:
        raise PydanticCustomError("missing", "Field required")
    if len(sets) + (value is not None) > 1:
        raise ValueError("one of JWT_PUBLIC_KEY, JWT_JWKS_FILE and JWT_JWKS_URL says which keys are good, and only one")
    if value is not None and (algorithm := info.data.get("jwt_algorithm")):
        try:
            require_key_of_algorithm(value, algorithm)
        except ValueError as error:
            raise ValueError(f"{error}; JWT_ALGORITHM is {algorithm}") from None
    return value


def secure_url(value: str) -> str:
    """The URL without a slash at its end. Raises ``ValueError`` where others could read on the way to it."""
    url = http_url(value)
    if urlsplit(url).scheme == "http" and not is_loopback(url):
        raise ValueError("must be an https URL: whoever stands between could answer in its place")
    return url


HttpUrl = Annotated[str, AfterValidator(http_url)]
JwtPublicKey = Annotated[str | None, AfterValidator(_one_source_of_keys), Field(validate_default=True)]
"""With the fields ``jwt_algorithm``, ``jwt_jwks_file`` and ``jwt_jwks_url`` before it."""
SecureUrl = Annotated[str, AfterValidator(secure_url)]
VapiUrl = Annotated[str, AfterValidator(_vapi_url)]
"""With a field ``vapi_plain_http_allowed`` before it; loopback is this machine, and not asked."""
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


@dataclass(frozen=True, slots=True)
class SettingShown:
    """A setting as anybody may see it: a secret is masked, and of an address who signs in there.

    ``default`` is None where the setting must be given; ``differs``: it is another value than that.
    """

    variable: str
    value: str
    default: str | None
    differs: bool


def settings_shown(settings: BaseSettings) -> tuple[SettingShown, ...]:
    """All of them, in the order in which they are declared."""
    return tuple(_setting(name, field, getattr(settings, name)) for name, field in type(settings).model_fields.items())


def _setting(name: str, field: FieldInfo, value: object) -> SettingShown:
    default = None if field.is_required() else _told(name, field.default)
    return SettingShown(name.upper(), _told(name, value), default, field.is_required() or value != field.default)


def _told(name: str, value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool | int | float):
        return f"{value:g}" if isinstance(value, float) else str(value).lower()
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, SecretStr) or (isinstance(value, str) and _SECRET.search(name)):
        return _MASK
    return _without_passwords(str(value))


def _without_passwords(text: str) -> str:
    """An address without who signs in there, and without what its query calls a secret."""
    shown = _LOGIN.sub("://***@", text)
    return _QUERY_SECRET.sub(rf"\1{_MASK}", shown)


class SettingsInvalid(Exception):
    """The environment does not make settings. Field: problems, all of them."""

    def __init__(self, problems: Sequence[SettingProblem]) -> None:
        self.problems = tuple(problems)
        lines = [f"  {p.variable} = {'(missing)' if p.shown is None else p.shown}: {p.reason}" for p in problems]
        super().__init__("\n".join([f"{len(problems)} setting(s) are missing or wrong:", *lines]))


def load(kind: type[T]) -> T:
    """The settings of the environment; raises :class:`SettingsInvalid` with every problem at once."""
    problems = _kafka_problems() if "kafka_bootstrap_servers" in kind.model_fields else []
    try:
        settings = kind()
    except ValidationError as error:
        # hide_input_in_errors only keeps values out of the text; the items still carry them, to be masked here.
        problems = [_problem(dict(item), kind) for item in error.errors(include_url=False)] + problems
        raise SettingsInvalid(problems) from None
    if problems:
        raise SettingsInvalid(problems)
    return settings


def misspelt(kind: type[BaseSettings], environ: Mapping[str, str]) -> Mapping[str, str]:
    """Variables that nobody reads, each with the setting without a value that was probably meant."""
    known = {field.upper() for field in kind.model_fields}
    unset = sorted(known - environ.keys())
    alike = {name: get_close_matches(name.upper(), unset, 1, _ALIKE) for name in sorted(environ.keys() - known)}
    # pydantic reads a variable in small letters too.
    return {name: meant[0] for name, meant in alike.items() if meant and name.upper() != meant[0]}


def warn_of_misspelt(kind: type[BaseSettings]) -> None:
    """Log each variable that looks like a setting and is none: what it was to change is as if it were not set."""
    for name, meant in misspelt(kind, os.environ).items():
        structlog.get_logger(__name__).warning(
            "A variable looks like a setting and is none", variable=name, meant=meant
        )


def _kafka_problems() -> list[SettingProblem]:
    """Those of the variables that Kafka's clients read by themselves."""
    try:
        security_of(os.environ)
    except SecurityInvalid as error:
        return [SettingProblem(variable, os.environ.get(variable) and _MASK, why) for variable, why in error.problems]
    return []


def _problem(item: dict[str, Any], kind: type[BaseSettings]) -> SettingProblem:
    reason = str(item["msg"]).removeprefix("Value error, ")
    if not item["loc"]:
        return SettingProblem(None, None, reason)
    field = str(item["loc"][0])
    variable = field.upper()
    if item["type"] == "missing":
        given = [name for name, meant in misspelt(kind, os.environ).items() if meant == variable]
        return SettingProblem(variable, None, "is required" + "".join(f"; {name} is no setting" for name in given))
    secret = _SECRET.search(variable) or "SecretStr" in str(kind.model_fields[field].annotation)
    return SettingProblem(variable, _MASK if secret else _shown(str(item["input"])), reason)


def _shown(value: str) -> str:
    """A value as it may be shown: a URL's password as ``***``, a long one cut."""
    shown = re.sub(r"(?<=://)([^/@:]*):[^/]*@", r"\1:***@", value)
    return repr(shown if len(shown) <= _SHOWN_CHARACTERS_MAX else shown[:_SHOWN_CHARACTERS_MAX] + "…")
