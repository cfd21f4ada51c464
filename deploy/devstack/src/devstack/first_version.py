"""The booking tool as first specified (`async: true`), at an assistant of its own: what a caller hears with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import httpx

from devstack.stack import Stack
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT


@asynccontextmanager
async def assistant_that_does_not_wait(stack: Stack, org_id: UUID) -> AsyncIterator[str]:
    """The id of an assistant in the sandbox whose booking tool is version 1; both are gone afterwards.

    The tool is of another installation, so that tool-sync does not take it for its own.
    """
    around = stack.surroundings
    document = BOOK_CLINIC_APPOINTMENT.vapi_payload(org_id, server_url=around.tool_server_url, installation_id=uuid4())
    bearer = {"Authorization": f"Bearer {around.vapi_api_key}"}
    async with httpx.AsyncClient(base_url=around.vapi_base_url, headers=bearer, timeout=15.0) as vapi:
        tool = await _created(vapi, "/tool", document)
        model = {"provider": "openai", "model": "gpt-4o", "toolIds": [tool]}
        assistant = await _created(vapi, "/assistant", {"name": "Front desk, version 1", "model": model})
        try:
            yield assistant
        finally:
            for path in (f"/assistant/{assistant}", f"/tool/{tool}"):
                (await vapi.delete(path)).raise_for_status()


async def _created(vapi: httpx.AsyncClient, path: str, document: dict[str, object]) -> str:
    answer = (await vapi.post(path, json=document)).raise_for_status()
    return str(answer.json()["id"])
