"""Kinds of values that settings have: what is wrong with one is said in words for an operator."""

import base64
import re
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, SecretStr
from pydantic_settings import NoDecode

from zerotouch_platform.auth import Scope
from zerotouch_platform.settings import http_url, is_loopback, secure_url

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
KEY_BYTES = 32
ORIGINS_MAX = 50
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:]+")
_REAL_VAPI = "vapi.ai"


def _https_url(value: str) -> str:
    value = http_url(value)
    parts = urlsplit(value)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise ValueError("must be an https URL: Vapi sends patients' data there (http only for loopback)")
    return value


def _postgres_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise ValueError("must be a postgresql:// URL that names a database")
    return value


def decoded(value: SecretStr) -> bytes:
    """Base64, of either alphabet; nothing where it is none."""
    try:
        return base64.b64decode(value.get_secret_value().replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        return b""


def _key(value: SecretStr) -> SecretStr:
    if len(decoded(value)) != KEY_BYTES:
        raise ValueError("must be 32 bytes in base64, such as `openssl rand -base64 32` prints")
    return value


def is_real_vapi(url: str) -> bool:
    """Whether the URL is Vapi's own, and no sandbox's."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host == _REAL_VAPI or host.endswith(f".{_REAL_VAPI}")


def _oidc_issuer(value: str) -> str:
    """As it is written: a provider may end in a slash, and is called so in its tokens."""
    url = secure_url(value)
    if urlsplit(url).query or urlsplit(url).fragment:
        raise ValueError("must be an issuer: a URL without a query and without a fragment")
    return value


def roles_of(text: str) -> dict[str, frozenset[Scope]]:
    """``owners=sync settings:write, staff=sync`` as scopes by value. Raises ``ValueError``."""
    found = {}
    for part in text.split(","):
        value, equals, scopes = (piece.strip() for piece in part.partition("="))
        if not value or not equals or not scopes:
            raise ValueError("must be `value=scope scope`, several with commas between")
        if unknown := set(scopes.split()) - set(Scope):
            raise ValueError(f"has {' and '.join(sorted(unknown))}, and scopes are {', '.join(Scope)}")
        found[value] = frozenset(map(Scope, scopes.split()))
    return found


def _org_roles(text: str) -> str:
    roles_of(text)
    return text


def _origin(text: str) -> str:
    """One origin of the web, as browsers compare them."""
    parts = urlsplit(text)
    host = (parts.hostname or "").rstrip(".")
    try:
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        port = None
    shown = f"[{host}]" if ":" in host else host
    is_web = parts.scheme in ("http", "https") and port is not None and _HOST.fullmatch(host)
    if not is_web or text.lower() != f"{parts.scheme}://{shown}{port}":
        raise ValueError("must be origins such as https://praxis.example, with spaces between: no path, no *")
    if parts.scheme != "https" and not is_loopback(text):
        raise ValueError("must be https origins: over http somebody on the way could frame what he wants")
    return text.lower()


def _origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    if len(origins) > ORIGINS_MAX:
        raise ValueError(f"must be {ORIGINS_MAX} origins at most: they are a header of each answer")
    return tuple(dict.fromkeys(map(_origin, origins)))


def _spaced(value: object) -> object:
    return value.split() if isinstance(value, str) else value


OrgIds = Annotated[
    tuple[UUID, ...],
    NoDecode,
    BeforeValidator(_spaced),
    PlainSerializer(lambda ids: " ".join(map(str, ids)), return_type=str, when_used="json"),
]
Origins = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(_spaced),
    AfterValidator(_origins),
    PlainSerializer(" ".join, return_type=str, when_used="json"),
]
HttpsUrl = Annotated[str, AfterValidator(_https_url)]
Key = Annotated[SecretStr, AfterValidator(_key)]
PostgresUrl = Annotated[str, AfterValidator(_postgres_url)]
OidcIssuer = Annotated[str, AfterValidator(_oidc_issuer)]
OrgRoles = Annotated[str, AfterValidator(_org_roles)]
