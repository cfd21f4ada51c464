"""The public key that tokens are verified with: read from PEM, and of the one kind that the algorithm needs."""

from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

RSA_BITS_MIN = 2048

PublicKey = Ed25519PublicKey | RSAPublicKey
Algorithm = Literal["EdDSA", "RS256"]


def require_key_of_algorithm(pem: str, algorithm: Algorithm) -> PublicKey:
    """The key in ``pem`` (line breaks may be written as ``\\n``); ``ValueError`` where it is not the algorithm's kind.

    A private key is refused: whoever only verifies must not be able to sign.
    """
    try:
        key = load_pem_public_key(pem.replace("\\n", "\n").encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("must be a public key in PEM form") from None
    if algorithm == "EdDSA" and isinstance(key, Ed25519PublicKey):
        return key
    if algorithm == "RS256" and isinstance(key, RSAPublicKey):
        if key.key_size < RSA_BITS_MIN:
            raise ValueError(f"is an RSA key of {key.key_size} bits; at least {RSA_BITS_MIN} are needed")
        return key
    raise ValueError(f"is not a key for {algorithm}")
