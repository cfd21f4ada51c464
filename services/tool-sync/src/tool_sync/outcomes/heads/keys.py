"""The Ed25519 key that signs heads, and the public keys that verify them, by key id."""

import re
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from zerotouch_contracts.heads import LogHead, key_id_of, signed_bytes
from zerotouch_platform.private_key import require_ed25519_private_key

_PEM: Final = re.compile(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


class SigningKey:
    """Signs heads. Raises ``ValueError`` where ``pem`` is no Ed25519 private key without a password."""

    def __init__(self, pem: str) -> None:
        self._key = require_ed25519_private_key(pem)
        self.verifies: Final = VerifyKeys([self._key.public_key()])
        (self.key_id,) = self.verifies.ids

    def signed(self, head: LogHead) -> LogHead:
        """The head with this key's signature; its ``key_id`` must be this key's already."""
        assert head.key_id == self.key_id, f"{head.key_id}, but the key is {self.key_id}"
        return head.model_copy(update={"signature": self._key.sign(signed_bytes(head)).hex()})


class VerifyKeys:
    """Public keys: those of now, and those of before a rotation."""

    def __init__(self, keys: "list[Ed25519PublicKey]") -> None:
        raw = {key.public_bytes(Encoding.Raw, PublicFormat.Raw): key for key in keys}
        self._keys: Mapping[str, Ed25519PublicKey] = {key_id_of(public): key for public, key in raw.items()}

    @classmethod
    def of_pem(cls, text: str) -> "VerifyKeys":
        """All keys of a file, one PEM block after the other; ``ValueError`` where one is wrong or there is none."""
        blocks = _PEM.findall(text)
        if not blocks or "PRIVATE KEY" in text:
            raise ValueError("must hold public keys in PEM form, and no private key")
        return cls([_public(block) for block in blocks])

    @property
    def ids(self) -> tuple[str, ...]:
        """The keys' ids."""
        return tuple(self._keys)

    def knows(self, head: LogHead) -> bool:
        """Whether the head says that one of these keys signed it."""
        return head.key_id in self._keys

    def signed(self, head: LogHead) -> bool:
        """Whether one of these keys signed the head, just as it is."""
        key = self._keys.get(head.key_id)
        if key is None:
            return False
        try:
            key.verify(bytes.fromhex(head.signature), signed_bytes(head))
        except InvalidSignature:
            return False
        return True


def _public(pem: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("holds a public key that cannot be read") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("holds a public key that is not for Ed25519")
    return key
