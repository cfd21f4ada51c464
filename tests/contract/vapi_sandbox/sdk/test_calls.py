"""Deleting a phone call through the official SDK: its own classes read the sandbox's answer."""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from target import ONCE
from vapi.core.api_error import ApiError

pytestmark = pytest.mark.dials
Maker = Callable[..., Any]


def test_a_call_is_read_deleted_and_gone(client: Any, make_assistant: Maker, http: httpx.Client) -> None:
    call_id, assistant = str(uuid4()), make_assistant().id
    made = http.post("/__sandbox/calls", json={"assistantId": assistant, "callId": call_id})
    assert made.status_code == 200, made.text

    read = client.calls.get(call_id, request_options=ONCE)
    deleted = client.calls.delete(call_id, request_options=ONCE)

    assert type(deleted).__name__ == "Call"
    assert not deleted.model_extra, deleted.model_extra
    assert deleted == read
    assert (deleted.id, deleted.assistant_id, deleted.status) == (call_id, assistant, "ended")
    for absent in (client.calls.get, client.calls.delete):
        with pytest.raises(ApiError) as refused:
            absent(call_id, request_options=ONCE)
        assert refused.value.status_code == 404
