"""The keys that tokens are verified with: one for ever, or a set that an identity provider keeps (JWKS, RFC 7517).

    JWT_PUBLIC_KEY   one key, PEM
    JWT_JWKS_FILE    a set on disk, read again every ``JWT_JWKS_SECONDS``
    JWT_JWKS_URL     a set at an https address, asked likewise, and sooner where a token names a key that is not in it

A key that is added lets in who shows it, one that is taken out nobody any more, without a restart. A set that cannot be
read, or has no key of the algorithm, leaves the last one: an identity provider that is away shuts nobody out. A process
that never had one lets nobody in, and is not ready.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from zerotouch_platform.fetch import NotFetched, fetch
from zerotouch_platform.loops import Loop, Wake
from zerotouch_platform.public_key import Algorithm, PublicKey, require_key_of_algorithm

SET_BYTES_MAX: Final = 256 * 1024
KEYS_MAX: Final = 100
ASKED_AGAIN_SECONDS: Final = 10.0
"""Between two questions for keys that tokens name: whoever makes names up is no load on the identity provider."""
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class KeySettings(Protocol):
    """Where the keys are; exactly one of the three is there."""

    @property
    def jwt_algorithm(self) -> Algorithm: ...
    @property
    def jwt_public_key(self) -> str | None: ...
    @property
    def jwt_jwks_file(self) -> Path | None: ...
    @property
    def jwt_jwks_url(self) -> str | None: ...
    @property
    def jwt_jwks_seconds(self) -> float: ...


class KeyUnknown(Exception):
    """No key of this name is known now."""


class KeysUnusable(Exception):
    """The set cannot be read, or has no key for the algorithm; the message says why, and nothing of what is in it."""


class TokenKeys:
    """The keys as they are known now; :meth:`loop` follows a set."""

    def __init__(self, settings: KeySettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._monotonic = settings, monotonic
        self._only: PublicKey | None = None
        self._named: Mapping[str, PublicKey] = {}
        self._asked_at = -ASKED_AGAIN_SECONDS
        self._wake = Wake()
        self._problem: str | None = None
        if settings.jwt_public_key is not None:
            self._only = require_key_of_algorithm(settings.jwt_public_key, settings.jwt_algorithm)
        else:
            self._problem = "the keys of tokens have not been read yet"

    def key_of(self, name: str | None) -> PublicKey:
        """The key that a token's ``kid`` names; without one only where there is no choice. Raises `KeyUnknown`."""
        if self._only is not None:
            return self._only
        if name is None and len(self._named) == 1:
            return next(iter(self._named.values()))
        if name is not None and name in self._named:
            return self._named[name]
        self._ask_again()
        raise KeyUnknown

    async def problem(self) -> str | None:
        """Why nobody can be let in, in words for an operator. A set that is old is none: see :meth:`note`."""
        return None if self._only is not None or self._named else self._problem

    async def note(self) -> object:
        """Why the set could not be read anew, while the last one is used."""
        return self._problem if self._named else None

    def loop(self) -> Loop | None:
        """Follows the set; None where there is none."""
        if self._only is not None:
            return None
        return Loop(
            self.run_once, self._settings.jwt_jwks_seconds, "token_keys_not_read", (KeysUnusable,), wake=self._wake
        )

    async def run_once(self) -> None:
        """Read the set. Raises :class:`KeysUnusable`, and then the last one stays."""
        self._asked_at = self._monotonic()
        try:
            self._named = keys_in(await self._read(), self._settings.jwt_algorithm)
        except KeysUnusable as error:
            self._problem = str(error)
            raise
        self._problem = None

    def _ask_again(self) -> None:
        if self._monotonic() - self._asked_at >= ASKED_AGAIN_SECONDS:
            self._wake()

    async def _read(self) -> bytes:
        if self._settings.jwt_jwks_file is not None:
            return await asyncio.to_thread(_read_file, self._settings.jwt_jwks_file)
        assert self._settings.jwt_jwks_url is not None
        return await _fetch(self._settings.jwt_jwks_url)


def keys_in(document: bytes, algorithm: Algorithm) -> Mapping[str, PublicKey]:
    """The keys of a set that verify the algorithm, by name. Others are passed over: a provider keeps several kinds.

    Raises :class:`KeysUnusable` where there is none, for a private key, and for two of one name.
    """
    try:
        listed = json.loads(document)["keys"]
        assert isinstance(listed, list)
    except (ValueError, KeyError, TypeError, AssertionError, RecursionError):
        raise KeysUnusable("the set of keys is no JSON Web Key Set") from None
    if len(listed) > KEYS_MAX:
        raise KeysUnusable(f"the set has {len(listed)} keys; at most {KEYS_MAX} are read")
    found: dict[str, PublicKey] = {}
    problems = []
    for item in listed:
        if not isinstance(item, dict) or not isinstance(name := item.get("kid"), str):
            continue
        shown = ascii(name)[:64]
        if item.keys() & _PRIVATE:
            raise KeysUnusable(f"key {shown} is private, or secret: whoever verifies must not be able to sign")
        try:
            key = _key_of(item, algorithm)
        except ValueError as error:
            problems.append(f"key {shown} {error}")
            continue
        if name in found:
            raise KeysUnusable(f"two keys are called {shown}")
        found[name] = key
    if not found:
        raise KeysUnusable(
            f"the set has no key with a kid for {algorithm}" + "".join(f"; {one}" for one in problems[:3])
        )
    return found


def _key_of(item: dict[str, Any], algorithm: Algorithm) -> PublicKey:
    if item.get("use", "sig") != "sig":
        raise ValueError("is not for signatures")
    if item.get("alg", algorithm) != algorithm:
        raise ValueError(f"is not for {algorithm}")
    try:
        key = jwt.PyJWK(item, algorithm=algorithm).key
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
        raise ValueError("cannot be read") from None
    return require_key_of_algorithm(pem, algorithm)


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            document = file.read(SET_BYTES_MAX + 1)
    except OSError as error:
        raise KeysUnusable(f"JWT_JWKS_FILE cannot be read: {error.strerror}") from None
    if len(document) > SET_BYTES_MAX:
        raise KeysUnusable(f"the set of keys is longer than {SET_BYTES_MAX:,} bytes")
    return document


async def _fetch(url: str) -> bytes:
    try:
        answer = await fetch(url, bytes_max=SET_BYTES_MAX)
    except NotFetched as error:
        raise KeysUnusable(f"JWT_JWKS_URL {error}") from None
    if answer.status != 200:
        raise KeysUnusable(f"JWT_JWKS_URL answers {answer.status}")
    return answer.body
