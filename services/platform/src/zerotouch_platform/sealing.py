"""Short secrets as ciphertext: AES-256-GCM, a new nonce for each, bound to what it is for."""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12


class SealingKey:
    """Of 32 bytes. ``purpose`` is no secret: what was sealed for one opens for no other."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, text: str, purpose: bytes) -> bytes:
        """Nonce and ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), purpose)

    def open(self, sealed: bytes, purpose: bytes) -> str:
        """The text. Raises ``ValueError`` for what was sealed with another key or for something else, or not at all."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose).decode()
        except InvalidTag:
            raise ValueError("it does not open") from None
