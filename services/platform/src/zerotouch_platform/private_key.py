"""The private key that a service signs with: read from PEM, Ed25519 and nothing else."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def require_ed25519_private_key(pem: str) -> Ed25519PrivateKey:
    """The key in ``pem`` (line breaks may be written as ``\\n``); ``ValueError`` where it is another kind."""
    try:
        key = load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("must be a private key in PEM form, without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("must be an Ed25519 key, as `openssl genpkey -algorithm ed25519` makes it")
    return key
