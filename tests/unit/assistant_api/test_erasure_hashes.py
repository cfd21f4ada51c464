"""What is kept of an erased patient: equal for the same number and clinic, for nothing else, and only with the key."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr, ValidationError

from assistant_api.appointments.phones import keys_of
from assistant_api.erasures.hashes import ErasureKey, keys_of_settings
from assistant_api.erasures.names import Appointment, ByAppointment, ByPhone, is_of
from assistant_api.settings.commands import ErasureSettings

ORG = UUID(int=7)
KEY = ErasureKey.of("a-key-of-the-clinics")
NOW = datetime.now(UTC)


def _settings(**changes: object) -> ErasureSettings:
    values = {"database_url": "postgresql://x@y/z", "vapi_api_key": "vapi", "kafka_bootstrap_servers": "k:1"}
    return ErasureSettings.model_validate({**values, **changes})


def _appointment(said: str, country: str | None = "DE", e164: str | None = None) -> Appointment:
    return Appointment(uuid4(), keys_of(said, e164, country), NOW)


@pytest.mark.parametrize("said", ["+49 151 770077077", "0151 770077077", "0049-151-770077077", "٠١٥١٧٧٠٠٧٧٠٧٧"])
def test_every_form_of_a_number_has_a_hash_in_common(said: str) -> None:
    hashes = set(KEY.of_names(ORG, ["+49151770077077"]))
    assert hashes & set(KEY.of_all(ORG, _appointment(said)))


def test_another_number_clinic_key_or_kind_has_none() -> None:
    one = _appointment("+49151770077077")
    hashes = set(KEY.of_all(ORG, one))
    for other in (
        KEY.of_all(ORG, _appointment("+49151770077078")),
        KEY.of_all(UUID(int=8), one),
        ErasureKey.of("another-key-of-theirs").of_all(ORG, one),
        KEY.of_names(ORG, [str(one.id)]),
    ):
        assert hashes.isdisjoint(other)


def test_an_appointment_without_a_number_has_only_its_own() -> None:
    one = _appointment("unknown")
    assert KEY.of_all(ORG, one) == [KEY.of_appointment(ORG, one.id)]


def test_the_key_is_not_in_its_id_nor_in_what_it_shows() -> None:
    assert len(KEY.id) == 16
    assert KEY.id not in KEY.secret.hex()
    assert KEY.id != ErasureKey.of("another-key-of-theirs").id


def test_the_newest_key_comes_first_and_vapis_key_stands_in_and_can_be_named_later() -> None:
    (fallback,) = keys_of_settings(_settings())
    newest, older = keys_of_settings(_settings(erasure_keys="the-newest-of-the-keys, an-older-of-the-keys"))
    assert newest == ErasureKey.of("the-newest-of-the-keys")
    assert older == ErasureKey.of("an-older-of-the-keys")
    assert fallback == ErasureKey.of("vapi")


def test_a_short_key_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError) as refused:
        _settings(erasure_keys=SecretStr("short"))
    assert "short" not in str(refused.value).replace("too_short", "")


def test_a_patient_is_a_number_or_the_very_appointment() -> None:
    one, other = _appointment("unknown"), _appointment("unknown")
    patient = ByAppointment(one.id)
    assert (is_of(patient, (), one), is_of(patient, (), other)) == (True, False)
    assert not is_of(ByPhone("x"), (), one)
