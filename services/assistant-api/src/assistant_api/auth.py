"""Who is asking: a JWT that is only verified here, by a fixed algorithm, issuer and audience."""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from assistant_api.problems import Problem
from assistant_api.settings import Settings
from zerotouch_contracts.errors import ErrorCode

TOKEN_BYTES_MAX: Final = 8 * 1024
LEEWAY_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Platform:
    """The operator of the platform: any organization."""

    subject: str
    role: Literal["platform"] = "platform"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A clinic: its own organization only."""

    subject: str
    org_id: UUID
    role: Literal["org"] = "org"


Caller = Platform | Tenant


class Verifier:
    """Turns an Authorization header into a caller, or raises a 401 problem that does not say what was wrong."""

    def __init__(self, settings: Settings) -> None:
        self._key = load_pem_public_key(settings.jwt_public_key.encode())
        self._settings = settings

    def caller(self, authorization: str | None) -> Caller:
        """The caller of a request with this header."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _refused("a bearer token is missing")
        if len(token) > TOKEN_BYTES_MAX:
            raise _refused("the token is not valid")
        try:
            claims = jwt.decode(
                token.strip(),
                self._key,  # type: ignore[arg-type]  # the settings have checked that it is the algorithm's kind of key
                algorithms=[self._settings.jwt_algorithm],
                issuer=self._settings.jwt_issuer,
                audience=self._settings.jwt_audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.InvalidTokenError, ValueError, OverflowError):
            raise _refused("the token is not valid or has expired") from None
        subject = str(claims["sub"])
        match claims.get("role"):
            case "platform":
                return Platform(subject)
            case "org":
                return Tenant(subject, _uuid(claims.get("org_id")))
            case _:
                raise _refused("the token names no role of this service")


def require_platform(caller: Caller) -> None:
    """Raise a 403 problem for everybody but the platform role."""
    if not isinstance(caller, Platform):
        raise Problem(403, ErrorCode.FORBIDDEN, "this needs a token with the role platform")


def _uuid(claim: object) -> UUID:
    try:
        return UUID(str(claim))
    except ValueError:
        raise _refused("the token names no organization") from None


def _refused(detail: str) -> Problem:
    return Problem(401, ErrorCode.UNAUTHENTICATED, detail)
