"""Seals the keys of clinics' own accounts at Vapi (ADR 76): in tables and on topics they are ciphertext alone.

    VAPI_KEY_ENVELOPE_KEYS   id:base64,id:base64   the first seals, all open
    sealed                   <id>.<base64url of nonce and ciphertext>

AES-256-GCM under the envelope key. The clinic and the account are associated data: a sealed key that is copied to
another clinic's row does not open there. Nothing here shows key material, in no text and no repr.
"""

import asyncio
import base64
import binascii
import re
import shlex
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from pydantic import SecretStr

from zerotouch_platform.sealing import SealingKey
from zerotouch_platform.vapi.key_name import fingerprint_of

KEY_BYTES: Final = 32
KEYS_MAX: Final = 16
COMMAND_SECONDS_MAX: Final = 30.0
AGAIN_SECONDS: Final = 60.0
"""After an envelope key was not to be had, until the command is asked again."""
_PURPOSE: Final = b"zerotouch vapi key"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")


class EnvelopeKeysInvalid(ValueError):
    """What should be envelope keys is something else. The message names what, never a key."""


class CannotOpen(Exception):
    """A sealed key cannot be used now; the message says why. Its clinic's work waits, nobody else's.

    EnvelopeKeysMissing   there are no envelope keys: the setting is missing, or its command failed
    EnvelopeKeyUnknown    it was sealed with an envelope key that is not among them
    SealBroken            it does not open: changed, another clinic's or account's, or another envelope key of that id
    """


class EnvelopeKeysMissing(CannotOpen):
    """There are no envelope keys here."""


class EnvelopeKeyUnknown(CannotOpen):
    """Field: key_id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"it was sealed with the envelope key {key_id}, which VAPI_KEY_ENVELOPE_KEYS does not have")
        self.key_id = key_id


class SealBroken(CannotOpen):
    """Nobody can open it with the envelope key that it names."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed key with what it is bound to: a row, or a message."""

    org_id: UUID
    account: str
    text: str
    fingerprint: str


class EnvelopeKeys:
    """The envelope keys by id. The newest, which seals, is the first."""

    __slots__ = ("_ciphers", "newest_id")

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Raises :class:`EnvelopeKeysInvalid`."""
        if not 1 <= len(keys) <= KEYS_MAX:
            raise EnvelopeKeysInvalid(f"must be 1 to {KEYS_MAX} keys, id:base64 with commas between")
        for key_id, key in keys.items():
            if _ID.fullmatch(key_id) is None:
                raise EnvelopeKeysInvalid("an id has 1 to 32 of A-Z a-z 0-9 _ -, and a colon behind it")
            if len(key) != KEY_BYTES:
                raise EnvelopeKeysInvalid(f"the key {key_id} must be {KEY_BYTES} bytes in base64, and has {len(key)}")
            if len(set(key)) == 1:
                raise EnvelopeKeysInvalid(f"the key {key_id} is one byte again and again: take 32 random ones")
        self._ciphers: Final = {key_id: SealingKey(key) for key_id, key in keys.items()}
        self.newest_id: Final = next(iter(keys))

    @classmethod
    def parse(cls, text: str) -> "EnvelopeKeys":
        """Of `id:base64` with commas or line ends between. Raises :class:`EnvelopeKeysInvalid`."""
        keys: dict[str, bytes] = {}
        for part in filter(None, re.split(r"[,\s]+", text)):
            key_id, colon, encoded = part.partition(":")
            if not colon or _ID.fullmatch(key_id) is None:  # what stands there may be key material
                raise EnvelopeKeysInvalid("an id has 1 to 32 of A-Z a-z 0-9 _ -, and a colon behind it")
            if key_id in keys:
                raise EnvelopeKeysInvalid(f"the key {key_id} is there twice")
            try:
                keys[key_id] = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                raise EnvelopeKeysInvalid(f"the key {key_id} is not base64") from None
        return cls(keys)

    def __repr__(self) -> str:
        return f"EnvelopeKeys({', '.join(self._ciphers)})"

    def seal(self, api_key: str, org_id: UUID, account: str) -> Sealed:
        """The key of this clinic's account, under the newest envelope key."""
        sealed = self._ciphers[self.newest_id].seal(api_key, _bound_to(org_id, account))
        text = f"{self.newest_id}.{base64.urlsafe_b64encode(sealed).decode()}"
        return Sealed(org_id, account, text, fingerprint_of(api_key))

    def open(self, sealed: Sealed) -> str:
        """The key. Raises :class:`EnvelopeKeyUnknown` and :class:`SealBroken`."""
        key_id, _, encoded = sealed.text.partition(".")
        if _ID.fullmatch(key_id) is None:
            raise SealBroken("the sealed key is none")
        if (cipher := self._ciphers.get(key_id)) is None:
            raise EnvelopeKeyUnknown(key_id)
        broken = f"it does not open with the envelope key {key_id}: changed, or of another clinic, account or envelope"
        try:
            raw = base64.b64decode(encoded, altchars=b"-_", validate=True)
            if base64.urlsafe_b64encode(raw).decode() != encoded:  # bits that base64 ignores
                raise SealBroken(broken)
            api_key = cipher.open(raw, _bound_to(sealed.org_id, sealed.account))
        except ValueError:  # also what is no base64, too short, or no text
            raise SealBroken(broken) from None
        if fingerprint_of(api_key) != sealed.fingerprint:
            raise SealBroken("the key in it is not the one that its fingerprint names")
        return api_key


def _bound_to(org_id: UUID, account: str) -> bytes:
    return b"\0".join((_PURPOSE, str(org_id).encode(), account.encode()))


class EnvelopeSettings(Protocol):
    """The two settings that say where envelope keys come from; at most one is set."""

    vapi_key_envelope_keys: SecretStr | None
    vapi_key_envelope_command: SecretStr | None


def envelope_keys(value: SecretStr) -> SecretStr:
    """For the setting: as it is, or ``ValueError`` where :class:`EnvelopeKeys` would not take it."""
    EnvelopeKeys.parse(value.get_secret_value())
    return value


class Envelope:
    """Where a service has its envelope keys: the setting, or a command's output, which is asked for when it is needed.

    A command that fails, or that lacks an id, is asked again after :data:`AGAIN_SECONDS`: a key manager that is away,
    or a new envelope key that only others know yet, needs no restart. ``monotonic`` is an argument for tests.
    """

    def __init__(self, settings: EnvelopeSettings, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        given, command = settings.vapi_key_envelope_keys, settings.vapi_key_envelope_command
        self._keys = None if given is None else EnvelopeKeys.parse(given.get_secret_value())
        self._command = command if given is None else None
        self._monotonic = monotonic
        self._asked_at: float | None = None
        self._why = "neither VAPI_KEY_ENVELOPE_KEYS nor VAPI_KEY_ENVELOPE_COMMAND is set"
        self._asking = asyncio.Lock()

    @property
    def is_set(self) -> bool:
        """Whether there is anything to seal with, now or when the command answers."""
        return self._keys is not None or self._command is not None

    async def keys(self) -> EnvelopeKeys:
        """Raises :class:`EnvelopeKeysMissing`."""
        if self._keys is None:
            await self._ask_again()
        if self._keys is None:
            raise EnvelopeKeysMissing(f"there is no envelope key: {self._why}")
        return self._keys

    async def open(self, sealed: Sealed) -> str:
        """The key. Raises :class:`CannotOpen`."""
        try:
            return (await self.keys()).open(sealed)
        except EnvelopeKeyUnknown:
            await self._ask_again()
            return (await self.keys()).open(sealed)

    async def _ask_again(self) -> None:
        if self._command is None:
            return
        async with self._asking:
            if self._asked_at is not None and self._monotonic() - self._asked_at < AGAIN_SECONDS:
                return
            self._asked_at = self._monotonic()
            try:
                self._keys = EnvelopeKeys.parse(await _output_of(self._command.get_secret_value()))
            except EnvelopeKeysInvalid as error:
                self._why = f"VAPI_KEY_ENVELOPE_COMMAND printed something else: {error}"
            except (OSError, TimeoutError, ValueError) as error:  # what it printed is not repeated
                self._why = f"VAPI_KEY_ENVELOPE_COMMAND failed: {type(error).__name__}"


async def _output_of(command: str) -> str:
    """What a command prints; it gets no shell. Raises ``OSError``, ``TimeoutError`` and ``ValueError``."""
    process = await asyncio.create_subprocess_exec(*shlex.split(command), stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    try:
        async with asyncio.timeout(COMMAND_SECONDS_MAX):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise ChildProcessError(f"it ended with {process.returncode}")
    return printed.decode()
