"""What a simulated call leaves: a record that can be read and deleted, as an eraser of recordings needs it."""

from __future__ import annotations

from uuid import uuid4

import pytest

from .phone import Phone

CALL = "5a4db0c5-0000-4000-8000-0000000000ca"


async def _made(phone: Phone, call_id: str = CALL) -> str:
    assistant = await phone.assistant()
    document = await phone.answered(assistantId=assistant, callId=call_id)
    assert document["callId"] == call_id
    return assistant


async def test_a_call_is_deleted_once_and_then_unknown(phone: Phone) -> None:
    assistant = await _made(phone)
    http = phone.vapi.http

    read = await http.get(f"/call/{CALL}")
    deleted = await http.request("DELETE", f"/call/{CALL}", json={})

    assert (read.status_code, deleted.status_code, deleted.json()) == (200, 200, read.json())
    assert (read.json()["id"], read.json()["assistantId"], read.json()["status"]) == (CALL, assistant, "ended")
    assert [(await http.request(method, f"/call/{CALL}", json={})).status_code for method in ("GET", "DELETE")] == [
        404,
        404,
    ]


async def test_a_deletion_needs_a_body_that_is_its_own(phone: Phone) -> None:
    await _made(phone)
    http = phone.vapi.http
    for refused in (
        await http.delete(f"/call/{CALL}"),
        await http.request("DELETE", f"/call/{CALL}", json={"force": True}),
        await http.request("DELETE", f"/call/{CALL}", json={"ids": [1]}),
        await http.request("DELETE", "/call/none", json={}),
    ):
        assert refused.status_code == 400
    assert (await http.get(f"/call/{CALL}")).status_code == 200


async def test_ids_in_the_body_go_instead_of_the_one_in_the_path(phone: Phone) -> None:
    others = [str(uuid4()) for _ in range(2)]
    for call_id in (CALL, *others):
        await _made(phone, call_id)
    http = phone.vapi.http

    answer = await http.request("DELETE", f"/call/{CALL}", json={"ids": [*others, str(uuid4())]})

    assert answer.status_code == 200
    assert [(await http.get(f"/call/{one}")).status_code for one in (CALL, *others)] == [200, 404, 404]


@pytest.mark.parametrize("call_id", ["session-7", "c"])
async def test_an_id_that_is_none_of_the_apis_leaves_no_record(phone: Phone, call_id: str) -> None:
    await _made(phone, call_id)
    assert (await phone.vapi.http.get(f"/call/{call_id}")).status_code == 400
