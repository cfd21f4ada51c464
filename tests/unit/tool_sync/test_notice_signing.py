"""Notices are signed as Standard Webhooks says, with every secret that is good; secrets are sealed for one clinic."""

import base64
import hmac
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tool_sync.notices.signing import SECRET_BYTES, SecretBox, new_secret, signed_headers

AT = datetime.fromtimestamp(1614265330, UTC)
ORG, OTHER = UUID(int=1), UUID(int=2)


def test_the_example_of_the_specification_s_own_libraries() -> None:
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", AT, b'{"test": 2432232314}', ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_secrets_sign_beside_each_other_and_a_stranger_s_does_not() -> None:
    old, new, other = new_secret(), new_secret(), new_secret()
    headers = signed_headers("msg_1", AT, b"{}", [new, old])
    found = headers["webhook-signature"].split(" ")

    def made(secret: str) -> str:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        return "v1," + base64.b64encode(hmac.digest(key, b"msg_1.1614265330.{}", "sha256")).decode()

    assert found == [made(new), made(old)]
    assert made(other) not in found


def test_a_secret_is_new_each_time_and_long_enough() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
    assert len(base64.b64decode(new_secret().removeprefix("whsec_"))) == SECRET_BYTES >= 24


def test_what_is_sealed_is_opened_with_the_same_key_for_the_same_clinic_alone() -> None:
    box, secret = SecretBox(bytes(32)), new_secret()
    sealed = box.seal(ORG, secret)
    assert box.open(ORG, sealed) == secret
    assert secret not in sealed
    assert box.seal(ORG, secret) != sealed
    assert box.open(OTHER, sealed) is None
    assert SecretBox(bytes([1]) * 32).open(ORG, sealed) is None


@pytest.mark.parametrize("sealed", ["", "x", "é", "AAAA", "A" * 1000])
def test_what_was_never_sealed_opens_nothing(sealed: str) -> None:
    assert SecretBox(bytes(32)).open(ORG, sealed) is None
