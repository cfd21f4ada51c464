"""The whole process: a clinic's PUT over the port, and its assistant at Vapi a moment later."""

from typing import Any
from uuid import uuid4

import httpx
from tests.support.eventually import eventually

from devstack.sandbox import Sandbox
from devstack.tokens import Signer
from tool_sync.settings import Settings
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.events import AssistantSaved, OrganizationSaved

from ..test_service import running, until_ready
from ..topics import Topics
from .desk import BOOK


async def test_a_setting_reaches_the_assistant_and_is_taken_back(
    settings: Settings, sandbox: Sandbox, topics: Topics, signer: Signer
) -> None:
    settings = settings.model_copy(update={"vapi_base_url": sandbox.url})
    settings = Settings(**{**settings.model_dump(), "vapi_api_key": sandbox.api_key})
    org, key = uuid4(), {"Authorization": f"Bearer {sandbox.api_key}"}
    token = {"Authorization": f"Bearer {signer.org_token(str(org))}"}
    path = f"/v1/orgs/{org}/tools/{BOOK}/settings"
    async with httpx.AsyncClient(base_url=sandbox.url, headers=key) as vapi, running(settings) as client:
        made = await vapi.post("/assistant", json={"name": "a", "model": {"provider": "openai", "model": "gpt-4o"}})
        assistant: dict[str, Any] = made.raise_for_status().json()
        await until_ready(client)
        saved = AssistantSaved(
            org_id=org,
            request_id=uuid4(),
            agent_id="agent-1",
            assistant_id=assistant["id"],
            revision=1,
            model_hash=model_hash(assistant["model"]),
            cause="save",
        )
        clinic = OrganizationSaved(org_id=org, revision=1, name="Clinic")
        await topics.send([topics.record(message, message_id=uuid4()) for message in (clinic, saved)])

        async def linked() -> list[str]:
            model = (await vapi.get(f"/assistant/{assistant['id']}")).json()["model"]
            return list(model.get("toolIds") or ())

        async def unlinked() -> bool:
            return await linked() == []

        (tool_id,) = await eventually(linked)
        assert (await client.put(path, json={"enabled": False}, headers=token)).status_code == 202
        await eventually(unlinked)
        assert (await client.delete(path, headers=token)).status_code == 202
        assert await eventually(linked) == [tool_id]
