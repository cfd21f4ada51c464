"""The same over real connections, and the credential from the command line."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from vapi_sandbox import DEFAULT_KEY, HmacKey, SandboxSettings, create_app, serving

from ..caller import Caller, caller
from .phone import Endpoint, Phone, result, tool


async def _signed_only(request: Request) -> JSONResponse:
    body = await request.body()
    expected = hmac.digest(b"the-key", f"{request.headers['x-timestamp']}.".encode() + body, hashlib.sha256).hex()
    if not hmac.compare_digest(request.headers["x-signature"], expected):
        return JSONResponse({}, 401)
    calls = json.loads(body)["message"]["toolCallList"]
    return JSONResponse({"results": [result("over the wire", call["id"]) for call in calls]})


async def test_a_signed_webhook_reaches_a_real_server() -> None:
    clinic = Starlette(routes=[Route("/hook", _signed_only, methods=["POST"])])
    sandbox = create_app(SandboxSettings(credential=HmacKey("the-key")))
    headers = {"authorization": f"Bearer {DEFAULT_KEY}"}
    async with (
        serving(clinic) as clinic_url,
        serving(sandbox) as base_url,
        httpx.AsyncClient(base_url=base_url, headers=headers) as http,
    ):
        phone = Phone(Caller(http), Endpoint(), [])
        entry = await phone.one(await phone.assistant(tool("book", f"{clinic_url}/hook")))
    assert (entry["heard"], entry["problems"]) == ({"as": "result", "text": "over the wire"}, [])


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://127.0.0.1:99999/", "nowhere", "ftp://127.0.0.1/"])
async def test_a_server_that_is_not_there_is_a_problem(url: str) -> None:
    vapi = caller(httpx.ASGITransport(create_app()), DEFAULT_KEY)
    phone = Phone(vapi, Endpoint(), [])
    entry = await phone.one(await phone.assistant(tool("book", url)))
    assert (entry["deliveries"][0]["statuses"], entry["heard"]["as"]) == ([None], "nothing")
    assert (await vapi.summary())["webhooks"] == {url: {"none": 1}}


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--webhook-token", "a", "--webhook-hmac-key", "b"], {}),
        (["--webhook-token", "a"], {"VAPI_SANDBOX_WEBHOOK_HMAC_KEY": "b"}),
    ],
)
def test_two_credentials_are_a_clear_error(arguments: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vapi_sandbox", "--port", "0", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 2
    assert "--webhook-token or --webhook-hmac-key" in " ".join(done.stderr.replace("│", " ").split())


def test_the_command_line_takes_the_credential_from_the_environment() -> None:
    environment = {**os.environ, "VAPI_SANDBOX_WEBHOOK_TOKEN": DEFAULT_KEY}
    command = [sys.executable, "-m", "vapi_sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            base_url = process.stdout.readline().split()[-1]
            headers = {"authorization": f"Bearer {DEFAULT_KEY}"}
            with httpx.Client(base_url=base_url, headers=headers) as http:
                # The sandbox calls itself: its API knows the token, and then refuses the webhook as a tool.
                made = http.post("/tool", json=tool("book", f"{base_url}/tool")).json()["id"]
                model = {"provider": "openai", "model": "gpt-4o", "toolIds": [made]}
                assistant = http.post("/assistant", json={"model": model}).json()["id"]
                order = {"assistantId": assistant, "toolCalls": [{"name": "book"}]}
                (entry,) = http.post("/__sandbox/calls", json=order).json()["toolCalls"]
                assert entry["deliveries"][0]["statuses"] == [400]
                http.patch("/__sandbox/dials", json={"webhook": {"name_at": "name"}})
                assert http.get("/__sandbox/dials").json()["webhook"]["name_at"] == "name"
        finally:
            process.kill()
