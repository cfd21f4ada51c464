"""Every way in which Vapi can be told to show that it is Vapi, each only where it is configured."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import pytest

from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from ..harness import Vapi, make_settings, running
from .calling import KEYS, Caller, bearer, booking, call, message, shaped, signed

KEY: Final = KEYS[0].encode()
SECRET: Final = "a-secret-as-it-is-1"

Headers = dict[str, str]


def _now() -> str:
    return str(int(time.time()))


def _hex(payload: bytes, algorithm: str = "sha256", key: bytes = KEY) -> str:
    return hmac.new(key, payload, algorithm).hexdigest()


def _base64(payload: bytes, algorithm: str = "sha256", key: bytes = KEY) -> str:
    return base64.b64encode(hmac.new(key, payload, algorithm).digest()).decode()


def _stamped(make: Callable[[bytes, str], Headers]) -> Callable[[bytes], Headers]:
    return lambda raw: make(raw, _now())


FORMS: Final[dict[str, tuple[dict[str, Any], Callable[[bytes], Headers]]]] = {
    "Vapi's default": ({}, signed),
    "upper-case hex": ({}, lambda raw: {**signed(raw), "x-signature": signed(raw)["x-signature"].upper()}),
    "sha512": (
        {"algorithm": "sha512"},
        _stamped(lambda raw, at: {"x-timestamp": at, "x-signature": _hex(at.encode() + b"." + raw, "sha512")}),
    ),
    "sha1, as older hubs": (
        {
            "algorithm": "sha1",
            "signatureHeader": "X-Hub-Signature",
            "signaturePrefix": "sha1=",
            "includeTimestamp": False,
        },
        lambda raw: {"x-hub-signature": f"sha1={_hex(raw, 'sha1')}"},
    ),
    "the body alone": (
        {"signatureHeader": "x-vapi-signature", "payloadFormat": "{body}", "includeTimestamp": False},
        lambda raw: {"x-vapi-signature": _hex(raw)},
    ),
    "a prefix": (
        {"signatureHeader": "x-hub-signature-256", "signaturePrefix": "sha256=", "includeTimestamp": False},
        lambda raw: {"x-hub-signature-256": f"sha256={_hex(raw)}"},
    ),
    "base64": (
        {"signatureEncoding": "base64"},
        _stamped(lambda raw, at: {"x-timestamp": at, "x-signature": _base64(at.encode() + b"." + raw)}),
    ),
    "headers of one's own": (
        {"signatureHeader": "X-Vapi-Signature", "timestampHeader": "X-Vapi-Timestamp"},
        _stamped(lambda raw, at: {"x-vapi-timestamp": at, "x-vapi-signature": _hex(at.encode() + b"." + raw)}),
    ),
    "method and address": (
        {"payloadFormat": "{method}:{url}:{timestamp}:{body}", "url": "https://hooks.test/vapi"},
        _stamped(
            lambda raw, at: {
                "x-timestamp": at,
                "x-signature": _hex(b"POST:https://hooks.test/vapi:" + at.encode() + b":" + raw),
            }
        ),
    ),
    "as Svix": (
        {
            "payloadFormat": "{svix-id}.{timestamp}.{body}",
            "signatureHeader": "svix-signature",
            "timestampHeader": "svix-timestamp",
            "messageIdHeader": "svix-id",
            "signaturePrefix": "v1,",
            "signatureEncoding": "base64",
        },
        _stamped(
            lambda raw, at: {
                "svix-id": "msg_1",
                "svix-timestamp": at,
                "svix-signature": f"v1,{_base64(b'msg_1.' + at.encode() + b'.' + raw)}",
            }
        ),
    ),
}


async def _asked(urls: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, check: Any, **settings: Any) -> None:
    async with running(make_settings(urls, sandbox, **settings), urls, vapi) as harness:
        org_id = await harness.organization()
        await check(Caller(harness), org_id, json.dumps(message(call(booking(org_id)))).encode())


@pytest.mark.parametrize(("form", "sign"), FORMS.values(), ids=FORMS.keys())
async def test_a_signature_in_the_configured_form_is_good_and_no_other(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, form: dict[str, Any], sign: Callable[[bytes], Headers]
) -> None:
    async def check(caller: Caller, org_id: UUID, raw: bytes) -> None:
        for other, (their_form, their_sign) in FORMS.items():
            if their_form != form and other != "upper-case hex":
                assert (await caller.send(raw, their_sign(raw))).status_code == 401, other
        assert (await caller.send(raw + b" ", sign(raw))).status_code == 401
        assert (await caller.send(raw, {name: value[:-1] for name, value in sign(raw).items()})).status_code == 401
        assert await caller.appointments() == []
        assert shaped(await caller.send(raw, sign(raw)))[0]["result"].startswith("Booked")

    settings = {"vapi_webhook_hmac_keys": ",".join(KEYS), "vapi_webhook_hmac": json.dumps(form)}
    await _asked(assistant_api_db, sandbox, vapi, check, **settings)


async def test_an_old_request_is_refused_wherever_the_signature_has_a_timestamp(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    form = {"payloadFormat": "{body}|{timestamp}", "timestampHeader": "when"}

    def sign(raw: bytes, at: int) -> Headers:
        return {"when": str(at), "x-signature": _hex(raw + b"|" + str(at).encode())}

    async def check(caller: Caller, org_id: UUID, raw: bytes) -> None:
        now = int(time.time())
        assert (await caller.send(raw, sign(raw, now - 310))).status_code == 401
        assert (await caller.send(raw, sign(raw, now + 310))).status_code == 401
        assert (await caller.send(raw, {**sign(raw, now - 310), "when": str(now)})).status_code == 401
        assert (await caller.send(raw, sign(raw, now - 200))).status_code == 200

    await _asked(
        assistant_api_db, sandbox, vapi, check, vapi_webhook_hmac_keys=KEYS[0], vapi_webhook_hmac=json.dumps(form)
    )


async def test_a_placeholder_in_the_body_stays_text(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    async def check(caller: Caller, org_id: UUID, raw: bytes) -> None:
        body = message(call(booking(org_id)))
        body["message"]["transcript"] = "{timestamp}.{body}{url}"
        raw = json.dumps(body).encode()
        assert (await caller.send(raw, signed(raw))).status_code == 200

    await _asked(assistant_api_db, sandbox, vapi, check, vapi_webhook_hmac_keys=KEYS[0])


async def test_a_key_in_base64_is_decoded_where_it_says_so(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    key = bytes(range(32))

    async def check(caller: Caller, org_id: UUID, raw: bytes) -> None:
        at = _now()
        payload = at.encode() + b"." + raw
        as_text = {"x-timestamp": at, "x-signature": _hex(payload, key=base64.b64encode(key))}
        assert (await caller.send(raw, as_text)).status_code == 401
        assert (await caller.send(raw, {"x-timestamp": at, "x-signature": _hex(payload, key=key)})).status_code == 200

    await _asked(
        assistant_api_db,
        sandbox,
        vapi,
        check,
        vapi_webhook_hmac_keys=base64.b64encode(key).decode(),
        vapi_webhook_hmac='{"secretIsBase64": true}',
    )


async def test_a_secret_in_its_own_header_is_good_where_it_is_configured(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    async def check(caller: Caller, org_id: UUID, raw: bytes) -> None:
        for headers in (
            {"x-vapi-secret": SECRET[:-1]},
            {"x-vapi-secret": f"Bearer {SECRET}"},
            {"x-vapi-secret": ""},
            {"x-other-secret": SECRET},
            bearer(SECRET),
            signed(raw, key=SECRET),
        ):
            assert (await caller.send(raw, headers)).status_code == 401, headers
        for given in (SECRET, "the-one-of-before-1"):
            assert (await caller.send(raw, {"X-Vapi-Secret": given})).status_code == 200

    await _asked(assistant_api_db, sandbox, vapi, check, vapi_webhook_secrets=f"{SECRET},the-one-of-before-1")


async def test_the_header_of_a_secret_may_be_another(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    async def check(caller: Caller, org_id: UUID, raw: bytes) -> None:
        assert (await caller.send(raw, {"x-vapi-secret": SECRET})).status_code == 401
        assert (await caller.send(raw, {"x-clinic-key": SECRET})).status_code == 200

    await _asked(
        assistant_api_db, sandbox, vapi, check, vapi_webhook_secrets=SECRET, vapi_webhook_secret_header="X-Clinic-Key"
    )


async def test_a_secret_header_lets_nobody_in_where_none_is_configured(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    async def check(caller: Caller, org_id: UUID, raw: bytes) -> None:
        for given in ("", KEYS[0], SECRET):
            assert (await caller.send(raw, {"x-vapi-secret": given})).status_code == 401

    await _asked(assistant_api_db, sandbox, vapi, check, vapi_webhook_hmac_keys=KEYS[0])
