"""The signer of a development machine: an Ed25519 key pair under the state folder, and bearer tokens made with it.

The services get the public key only; in production the tokens come from the platform's own identity provider.
"""

import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ISSUER = "https://devstack.zerotouch.local"
AUDIENCE = "zerotouch"
LIFETIME_SECONDS = 12 * 3600
SERVICE_LIFETIME_SECONDS = 90 * 86_400
"""Of a token that a service has: the longest that a service takes (`JWT_LIFETIME_SECONDS_MAX`). Whoever runs for longer
on a development machine starts anew."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs bearer tokens. Fields: private_key, public_key (both PEM)."""

    private_key: str
    public_key: str

    def platform_token(self, *, lifetime_seconds: float = LIFETIME_SECONDS) -> str:
        """Returns a token that may act for every org; a negative lifetime makes an expired one."""
        return self._token({"sub": "devstack", "role": "platform"}, lifetime_seconds)

    def org_token(self, org_id: str, *, scope: str | None = None, lifetime_seconds: float = LIFETIME_SECONDS) -> str:
        """Returns a token that may act for one org, a UUID; raises ValueError for anything else.

        `scope` names parts of that, with spaces between; without it the token may do all that a clinic may.
        """
        org = str(uuid.UUID(org_id))
        scopes = {} if scope is None else {"scope": scope}
        return self._token({"sub": f"devstack:{org}", "role": "org", "org_id": org, **scopes}, lifetime_seconds)

    def _token(self, claims: dict[str, str], lifetime_seconds: float) -> str:
        now = int(time.time())
        times = {"iat": min(now, int(now + lifetime_seconds)), "exp": int(now + lifetime_seconds)}
        named = {"iss": ISSUER, "aud": AUDIENCE, "jti": str(uuid.uuid4())}
        return jwt.encode({**named, **claims, **times}, self.private_key, algorithm="EdDSA")


def new_signer() -> Signer:
    """Makes a signer with a key pair of its own, kept nowhere."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Signer(private.decode(), public.decode())


def signer(state_dir: Path) -> Signer:
    """Returns the signer of this state folder, making its key pair the first time."""
    private, public = state_dir / "jwt-private.pem", state_dir / "jwt-public.pem"
    if not public.exists():
        made = new_signer()
        state_dir.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(made.private_key)
        public.write_text(made.public_key)  # last: its presence says that both are complete
    return Signer(private.read_text(), public.read_text())


def log_signing_key(state_dir: Path) -> Path:
    """Returns the file of the key that signs heads of tool-sync's log, making it and its public half the first time."""
    private, public = state_dir / "log-signing-key.pem", log_verify_keys(state_dir)
    if not public.exists():
        made = new_signer()
        state_dir.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(made.private_key)
        public.write_text(made.public_key)  # last: its presence says that both are complete
    return private


def log_verify_keys(state_dir: Path) -> Path:
    """Returns the file of the public half, with which anybody checks those heads."""
    return state_dir / "log-verify-keys.pem"
