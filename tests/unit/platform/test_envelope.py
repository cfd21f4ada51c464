"""Sealed keys open where they were sealed for, and nowhere else; no text of anything here has key material in it."""

import asyncio
import base64
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from zerotouch_contracts.accounts import SEALED_KEY_CHARACTERS_MAX, VapiAccount
from zerotouch_platform.vapi import envelope
from zerotouch_platform.vapi.envelope import (
    CannotOpen,
    Envelope,
    EnvelopeKeys,
    EnvelopeKeysInvalid,
    EnvelopeKeysMissing,
    EnvelopeKeyUnknown,
    SealBroken,
    envelope_keys,
)
from zerotouch_platform.vapi.key_name import fingerprint_of

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
KEYS = EnvelopeKeys({"new": NEW, "old": OLD})
ORG, ACCOUNT, CLEAR = UUID(int=7), "vapi-4f2c1d0a", "b3d1f0c2-canary-of-a-clear-key"

api_keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=256)


def text(**keys: bytes) -> str:
    """The setting that says these keys."""
    return ",".join(f"{key_id}:{base64.b64encode(key).decode()}" for key_id, key in keys.items())


@given(api_keys, st.uuids(), st.from_regex(r"vapi-[a-z0-9-]{1,40}", fullmatch=True))
def test_what_was_sealed_opens_again_and_fits_the_contract(api_key: str, org_id: UUID, account: str) -> None:
    sealed = KEYS.seal(api_key, org_id, account)
    assert KEYS.open(sealed) == api_key
    assert sealed.fingerprint == fingerprint_of(api_key)
    assert len(sealed.text) <= SEALED_KEY_CHARACTERS_MAX
    VapiAccount(org_id=org_id, account=account, sealed_key=sealed.text, key_fingerprint=sealed.fingerprint, revision=1)


@given(st.data())
def test_one_changed_character_and_it_does_not_open(data: st.DataObject) -> None:
    sealed = KEYS.seal(CLEAR, ORG, ACCOUNT)
    place = data.draw(st.integers(len("new."), len(sealed.text) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != sealed.text[place]))
    changed = sealed.text[:place] + other + sealed.text[place + 1 :]
    with pytest.raises(SealBroken):
        KEYS.open(replace(sealed, text=changed))


@given(st.integers(0, 200))
def test_one_that_is_cut_does_not_open(length: int) -> None:
    sealed = KEYS.seal(CLEAR, ORG, ACCOUNT)
    if length < len(sealed.text):
        with pytest.raises(CannotOpen):
            KEYS.open(replace(sealed, text=sealed.text[:length]))


@given(st.uuids().filter(lambda org_id: org_id != ORG))
def test_it_opens_for_no_other_clinic(org_id: UUID) -> None:
    with pytest.raises(SealBroken):
        KEYS.open(replace(KEYS.seal(CLEAR, ORG, ACCOUNT), org_id=org_id))


@given(st.text(max_size=64).filter(lambda account: account != ACCOUNT))
def test_it_opens_for_no_other_account(account: str) -> None:
    with pytest.raises(SealBroken):
        KEYS.open(replace(KEYS.seal(CLEAR, ORG, ACCOUNT), account=account))


def test_a_fingerprint_of_another_key_is_noticed() -> None:
    with pytest.raises(SealBroken, match="fingerprint"):
        KEYS.open(replace(KEYS.seal(CLEAR, ORG, ACCOUNT), fingerprint=fingerprint_of("another")))


def test_the_first_key_seals_and_all_open() -> None:
    before = EnvelopeKeys({"old": OLD}).seal(CLEAR, ORG, ACCOUNT)
    assert KEYS.open(before) == CLEAR
    assert KEYS.seal(CLEAR, ORG, ACCOUNT).text.startswith("new.")
    with pytest.raises(EnvelopeKeyUnknown, match="new") as unknown:
        EnvelopeKeys({"old": OLD}).open(KEYS.seal(CLEAR, ORG, ACCOUNT))
    assert unknown.value.key_id == "new"


def test_another_envelope_key_of_the_same_id_does_not_open() -> None:
    with pytest.raises(SealBroken):
        EnvelopeKeys({"new": OLD}).open(KEYS.seal(CLEAR, ORG, ACCOUNT))


def test_the_same_key_is_sealed_to_another_text_each_time() -> None:
    assert KEYS.seal(CLEAR, ORG, ACCOUNT).text != KEYS.seal(CLEAR, ORG, ACCOUNT).text


@pytest.mark.parametrize(
    ("setting", "says"),
    [("", "1 to 16 keys"), ("k1", "a colon"), (":AAAA", "a colon"), ("k 1:AAAA", "a colon"), ("ü:AAAA", "a colon"),
     (f"{'k' * 33}:AAAA", "a colon"), ("k1:AA-_", "base64"), ("k1:AAA", "base64"),
     (text(k1=OLD[:31]), "31"), (text(k1=OLD + b"x"), "33"), (text(k1=bytes(32)), "random"),
     (text(k1=OLD) + "," + text(k1=NEW), "twice"), (text(**{f"k{i}": OLD for i in range(17)}), "1 to 16 keys")],
)  # fmt: skip
def test_what_is_no_set_of_envelope_keys_is_refused_by_name(setting: str, says: str) -> None:
    with pytest.raises(EnvelopeKeysInvalid, match=says):
        EnvelopeKeys.parse(setting)
    with pytest.raises(ValueError, match=says):
        envelope_keys(SecretStr(setting))


def test_no_text_has_key_material_in_it() -> None:
    material = base64.b64encode(NEW).decode()
    sealed = KEYS.seal(CLEAR, ORG, ACCOUNT)
    texts = [repr(KEYS), str(KEYS), repr(sealed), repr(Envelope(Given(vapi_key_envelope_keys=SecretStr(text(a=NEW)))))]
    for wrong in (f"k1:{material}!", material, f"{material},k2:{material}", f"k1:{material[:-4]}"):
        with pytest.raises(EnvelopeKeysInvalid) as refused:
            EnvelopeKeys.parse(wrong)
        texts.append(f"{refused.value!r} {refused.value} {refused.value.__cause__!r}")
    for broken in (replace(sealed, org_id=uuid4()), replace(sealed, text=sealed.text.replace("new.", "gone."))):
        with pytest.raises(CannotOpen) as cannot:
            KEYS.open(broken)
        texts.append(f"{cannot.value!r} {cannot.value}")
    for said in texts:
        assert material[:12] not in said
        assert CLEAR not in said


@dataclass
class Given:
    """The settings that an envelope is made of."""

    vapi_key_envelope_keys: SecretStr | None = None
    vapi_key_envelope_command: SecretStr | None = None


class Clock:
    """A monotonic clock that a test moves."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def printing(path: Path) -> Given:
    """A command that prints a file."""
    program = f"import sys; sys.stdout.write(open({str(path)!r}).read())"
    return Given(vapi_key_envelope_command=SecretStr(shlex.join([sys.executable, "-c", program])))


async def test_without_a_setting_nothing_opens_and_it_says_so() -> None:
    it = Envelope(Given())
    assert not it.is_set
    with pytest.raises(EnvelopeKeysMissing, match="VAPI_KEY_ENVELOPE_KEYS"):
        await it.open(KEYS.seal(CLEAR, ORG, ACCOUNT))


async def test_a_command_that_fails_is_asked_again_a_minute_later(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "keys"
    it = Envelope(printing(path), monotonic=clock)
    sealed = EnvelopeKeys({"old": OLD}).seal(CLEAR, ORG, ACCOUNT)
    with pytest.raises(EnvelopeKeysMissing, match="COMMAND failed: ChildProcessError"):
        await it.open(sealed)
    path.write_text(text(old=OLD))
    with pytest.raises(EnvelopeKeysMissing):
        await it.open(sealed)
    clock.seconds += envelope.AGAIN_SECONDS
    assert await it.open(sealed) == CLEAR


async def test_a_new_envelope_key_that_others_seal_with_already_is_asked_for(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "keys"
    path.write_text(text(old=OLD) + "\n")
    it = Envelope(printing(path), monotonic=clock)
    assert (await it.keys()).newest_id == "old"
    path.write_text(text(new=NEW, old=OLD))
    clock.seconds += envelope.AGAIN_SECONDS
    assert await asyncio.gather(*(it.open(KEYS.seal(CLEAR, ORG, ACCOUNT)) for _ in range(3))) == [CLEAR] * 3
    assert (await it.keys()).newest_id == "new"


async def test_what_a_command_prints_instead_of_keys_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"the password is {CLEAR}")
    with pytest.raises(EnvelopeKeysMissing, match="printed something else") as missing:
        await Envelope(printing(path)).keys()
    assert CLEAR not in str(missing.value)


async def test_a_command_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "COMMAND_SECONDS_MAX", 0.2)
    command = shlex.join([sys.executable, "-c", "import time; time.sleep(60)"])
    with pytest.raises(EnvelopeKeysMissing, match="TimeoutError"):
        await Envelope(Given(vapi_key_envelope_command=SecretStr(command))).keys()
