"""A key, and heads signed without Kafka."""

from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tool_sync import db
from tool_sync.log.heads import read_stands
from tool_sync.outcomes.heads.keys import SigningKey
from tool_sync.outcomes.heads.signer import signed_head
from zerotouch_contracts.heads import LogHead

AT = datetime(2026, 11, 30, 3, 12, tzinfo=UTC)


def new_pems() -> tuple[str, str]:
    """A private key and its public half, in PEM."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


async def sign_now(pool: db.Pool, key: SigningKey, last: LogHead | None = None) -> LogHead:
    """The head of the log as it stands, as the signer makes it."""
    return await signed_head(pool, key, await read_stands(pool), last, AT)
