"""What a service's settings say of tokens, for tests that need no more of them."""

from dataclasses import dataclass
from pathlib import Path

from devstack.tokens import AUDIENCE, ISSUER
from zerotouch_platform.public_key import Algorithm


@dataclass(frozen=True)
class JwtSettings:
    """Whose tokens count: those of devstack's signer, for an hour of tests at most."""

    jwt_public_key: str | None = None
    jwt_algorithm: Algorithm = "EdDSA"
    jwt_issuer: str = ISSUER
    jwt_audience: str = AUDIENCE
    jwt_jwks_file: Path | None = None
    jwt_jwks_url: str | None = None
    jwt_jwks_seconds: float = 60.0
    jwt_lifetime_seconds_max: float = 90 * 86_400.0
